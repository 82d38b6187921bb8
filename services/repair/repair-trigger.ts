import type { Client } from '@temporalio/client';
import { decideRepair, type PastRepair, type RepairDecision } from '../../core/decisions/decide-repair.js';
import { ServiceError } from '../../core/errors.js';
import type { RepairState } from '../../core/schemas/repair.js';
import { noteEvent, SYSTEM } from '../alerts/move-alerts.js';
import { BackgroundLoop } from '../background-loop.js';
import type { Database, Prisma } from '../database/database.js';
import type { JobStore } from '../jobs/job-store.js';
import { createRetrainSchedules, type RetrainSchedule } from '../pipelines/retrain-schedule.js';
import { startJob } from '../pipelines/start-job.js';
import type { Logger } from '../telemetry/logger.js';
import type { ModelsConfig } from '../training/models-config.js';
import { planRepairData } from './collect-repair-data.js';
import { draftRepair, repairSettingsOf } from './open-repair.js';

export interface RepairTriggerContext {
  database: Database;
  jobs: JobStore;
  temporal: Client;
  logger: Logger;
  readModelsConfig: () => Promise<ModelsConfig>;
}

type AlertRow = Prisma.AlertGetPayload<object>;

const LOOK_EVERY_MS = 10_000;
/** Repairs of a model that say whether another one may begin. */
const MOST_PAST = 200;

/** Begins repairs because of alerts whose advice is to retrain, of models whose schedule says `on_drift`. Any number of processes may run it. */
export class RepairTrigger {
  readonly #loop: BackgroundLoop;

  constructor(context: RepairTriggerContext) {
    this.#loop = new BackgroundLoop({
      look: () => beginRepairs(context, new Date()),
      everyMs: LOOK_EVERY_MS,
      problem: 'repairs cannot be begun at present',
      logger: context.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/** One look at the alerts that stand. What keeps a repair from beginning is written into the history of the alert. */
export async function beginRepairs(context: RepairTriggerContext, now: Date): Promise<void> {
  const { database, temporal, readModelsConfig } = context;
  const alerts = await database.prisma.alert.findMany({
    where: { status: { not: 'resolved' }, model: { not: '' }, evidence: { path: ['advice'], equals: 'retrain' } },
    orderBy: { openedAt: 'asc' },
  });
  if (alerts.length === 0) return;
  const config = await readModelsConfig();
  const schedules = createRetrainSchedules(temporal);
  for (const model of new Set(alerts.map((alert) => alert.model))) {
    const definition = config.models.get(model);
    if (!definition) continue;
    const schedule = await scheduleOf(schedules, model);
    if (!schedule?.on_drift || schedule.paused) continue;
    const alert = alerts.find((one) => one.model === model)!;
    const past = await pastRepairs(database, model);
    const decision = decideRepair(
      { openedMs: alert.openedAt.getTime() },
      past,
      repairSettingsOf(definition),
      now.getTime(),
    );
    const lack = decision.begin ? await findLack(alert, { database, config }) : decision;
    if (lack) await noteWait(database, alert, lack);
    else await begin(alert, schedule, past.length, context);
  }
}

async function scheduleOf(
  schedules: ReturnType<typeof createRetrainSchedules>,
  model: string,
): Promise<RetrainSchedule | undefined> {
  try {
    return await schedules.get(model);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'schedule_not_found') return undefined;
    throw error;
  }
}

async function pastRepairs({ prisma }: Database, model: string): Promise<PastRepair[]> {
  const rows = await prisma.repair.findMany({ where: { model }, orderBy: { createdAt: 'desc' }, take: MOST_PAST });
  return rows.map(({ createdAt, finishedAt, state }) => ({
    startedMs: createdAt.getTime(),
    ...(finishedAt && { endedMs: finishedAt.getTime() }),
    state: state as RepairState,
  }));
}

/** Why a repair would come to nothing now. One that begins too early and fails keeps the next one waiting for long. */
async function findLack(
  { id, model }: AlertRow,
  context: { database: Database; config: ModelsConfig },
): Promise<Extract<RepairDecision, { begin: false }> | undefined> {
  try {
    const { repair } = await draftRepair('repair-foreseen', { model, alert_id: id }, context);
    await planRepairData(repair, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    // One sentence whatever the number, since each other one would be one more entry of the history.
    const isData = error.code === 'log_insufficient';
    return { begin: false, reason: isData ? 'There are too few rows of the changed world as yet.' : error.message };
  }
}

/** Of processes that decide the same at the same moment, and of one that dies in between, the key makes one job. */
async function begin(
  alert: AlertRow,
  { training }: RetrainSchedule,
  number: number,
  context: RepairTriggerContext,
): Promise<void> {
  const { training_data: _data, auto_deploy: _deploy, ...settings } = (training ?? {}) as Record<string, unknown>;
  const key = `repair-${alert.id}-${number}`;
  const job = await startJob(
    {
      type: 'repair',
      model: alert.model,
      request: { model: alert.model, alert_id: alert.id, reason: alert.summary.slice(0, 500), training: settings },
      idempotencyKey: key,
      correlationId: key,
      requestedBy: SYSTEM,
    },
    context,
  );
  await noteEvent(context.database.prisma, {
    alertId: alert.id,
    key,
    event: 'repair_begun',
    note: 'A repair was begun.',
    detail: { job_id: job.job_id },
    telling: 'never',
  });
}

async function noteWait(
  { prisma }: Database,
  alert: AlertRow,
  { reason, untilMs }: Extract<RepairDecision, { begin: false }>,
): Promise<void> {
  const until = untilMs === undefined ? '' : ` Until ${new Date(untilMs).toISOString()}.`;
  await noteEvent(prisma, {
    alertId: alert.id,
    key: `repair-waits:${reason}`,
    event: 'repair_waits',
    note: `${reason}${until}`,
    telling: 'never',
  });
}
