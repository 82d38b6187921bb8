import { ServiceError } from '../../core/errors.js';
import { repairJobSchema } from '../../core/schemas/repair.js';
import { repairSettingsSchema, type RepairSettings } from '../../core/schemas/repair-settings.js';
import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { parseRequest } from '../parse-request.js';
import { modelDefinition, type ModelDefinition, type ModelsConfig } from '../training/models-config.js';
import { estimateChange } from './estimate-change.js';
import { noteStep } from './note-step.js';

/** What the workflow of a repair follows. */
export interface OpenRepair {
  repairId: string;
  jobId: string;
  model: string;
  formerVersion: string;
  /** From when on the data are of the world as it is now. */
  since?: string;
  source: RepairSettings['source'];
  leastRows: number;
  canary: RepairSettings['canary'];
  /** As in `POST /models/train`, without the data. */
  training: Record<string, unknown>;
}

export const repairIdOf = (jobId: string): string => jobId.replace(/^repair-/, 'rep-');

/** How much a model may be retrained without a person. */
export const repairSettingsOf = ({ repair }: Pick<ModelDefinition, 'repair'>): RepairSettings =>
  repair ?? repairSettingsSchema.parse({});

interface RepairContext {
  database: Database;
  config: ModelsConfig;
}

/**
 * Checks that a repair may begin now.
 * @throws ServiceError `request_invalid`, `model_not_found`, `version_not_deployed`, `repair_conflict`
 */
export async function checkRepair(body: unknown, { database: { prisma }, config }: RepairContext, jobId?: string) {
  const request = parseRequest(repairJobSchema, body);
  const definition = modelDefinition(config, request.model);
  const { name: model } = definition;
  const route = await prisma.route.findUnique({ where: { model } });
  if (!route)
    throw new ServiceError(
      'version_not_deployed',
      `No version of ${model} is deployed, so there is nothing to repair. Train and deploy one.`,
    );
  const other = await prisma.repair.findFirst({ where: { model, state: 'running' } });
  if (other && other.jobId !== jobId)
    throw new ServiceError(
      'repair_conflict',
      `The repair ${other.id} of ${model} is under way. Wait for it, or cancel its job ${other.jobId}.`,
    );
  // One that was accepted a moment ago has not come to write itself down.
  const accepted = { type: 'repair', model, status: { in: ['queued', 'running'] } };
  const job = jobId === undefined ? await prisma.job.findFirst({ where: accepted }) : null;
  if (job) throw new ServiceError('repair_conflict', `The job ${job.id} repairs ${model}. Wait for it, or cancel it.`);
  return { request, definition, version: route.version };
}

/** Writes the repair down. The database allows one a model. Repeatable. */
export async function openRepair(
  { jobId, request: body }: { jobId: string; request: unknown },
  context: RepairContext,
): Promise<OpenRepair> {
  const { prisma } = context.database;
  const repairId = repairIdOf(jobId);
  const known = await prisma.repair.findUnique({ where: { id: repairId } });
  if (known) return known.settings as unknown as OpenRepair;
  const { repair, request, cause } = await draftRepair(jobId, body, context);
  const { model, formerVersion: version } = repair;
  const trigger = request.reason ?? cause.trigger;
  const job = await prisma.job.findUnique({ where: { id: jobId } });
  const { count } = await prisma.repair.createMany({
    data: [
      {
        id: repairId,
        model,
        state: 'running',
        alertId: request.alert_id ?? null,
        trigger,
        requestedBy: job?.requestedBy ?? 'system',
        settings: jsonOf(repair),
        since: repair.since ?? null,
        formerVersion: version,
        jobId,
      },
    ],
    skipDuplicates: true,
  });
  if (count === 0 && !(await prisma.repair.findUnique({ where: { id: repairId } }))) {
    await checkRepair(body, context, jobId);
    throw new Error('Another repair of the model ended a moment ago; this one begins with the next attempt.');
  }
  await noteStep(prisma, repairId, 'opened', `${trigger} ${version} of ${model} answers.`, {
    alerts: cause.alerts,
    since: repair.since ?? null,
  });
  return repair;
}

/** What a repair would follow that began now. @throws what `checkRepair` throws */
export async function draftRepair(jobId: string, body: unknown, context: RepairContext) {
  const { request, definition, version } = await checkRepair(body, context, jobId);
  const { name: model } = definition;
  const settings = repairSettingsOf(definition);
  const cause = await findCause(context.database, model, request.alert_id);
  const since = request.since ?? cause.since?.toISOString();
  const repair: OpenRepair = {
    repairId: repairIdOf(jobId),
    jobId,
    model,
    formerVersion: version,
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    source: request.source ?? settings.source,
    leastRows: settings.least_rows,
    canary: request.canary ?? settings.canary,
    training: request.training,
  };
  return { repair, request, cause };
}

/** What the repair is for: the alert that began it, with all others of the model that stand. */
async function findCause(database: Database, model: string, alertId: string | undefined) {
  const { prisma } = database;
  const alerts = await prisma.alert.findMany({
    where: { model, OR: [{ status: { not: 'resolved' } }, ...(alertId === undefined ? [] : [{ id: alertId }])] },
    orderBy: { openedAt: 'asc' },
  });
  const own = alerts.find(({ id }) => id === alertId) ?? alerts[0];
  const since = await Promise.all(alerts.map((alert) => changeOf(database, alert)));
  const earliest = since.filter((at) => at !== undefined).toSorted((a, b) => a.getTime() - b.getTime())[0];
  return {
    trigger: own ? own.summary : 'Asked for by hand.',
    alerts: alerts.map(({ id, subject, severity, summary }) => ({ alert_id: id, subject, severity, summary })),
    since: earliest,
  };
}

/**
 * When what an alert is about began: what its finding says, else what the log shows around the first of the windows before it that were not ok, in a
 * row, else the start of that window.
 */
async function changeOf(
  database: Database,
  {
    model,
    monitor,
    subject,
    segment,
    openedWindow,
    evidence,
  }: Record<'model' | 'monitor' | 'subject' | 'segment', string> & { openedWindow: Date; evidence: Prisma.JsonValue },
): Promise<Date | undefined> {
  const { prisma } = database;
  const { since } = evidence as { since?: unknown };
  if (typeof since === 'string') return new Date(since);
  const thing = { model, monitor, subject, segment, windowEnd: { lte: openedWindow } };
  const lastGood = await prisma.monitorFinding.findFirst({
    where: { ...thing, state: 'ok' },
    orderBy: { windowEnd: 'desc' },
    select: { windowEnd: true },
  });
  const first = await prisma.monitorFinding.findFirst({
    where: {
      ...thing,
      state: { in: ['alarm', 'suspect'] },
      ...(lastGood && { windowEnd: { gt: lastGood.windowEnd, lte: openedWindow } }),
    },
    orderBy: { windowEnd: 'asc' },
    select: { windowStart: true, windowEnd: true },
  });
  if (!first) return undefined;
  // Rows of a segment are too few, and the window of an alert without one is of all rows.
  const estimated =
    monitor === 'drift' && segment === ''
      ? await estimateChange(database, {
          model,
          subject,
          firstBad: { start: first.windowStart, end: first.windowEnd },
          lastEnd: openedWindow,
        })
      : undefined;
  return estimated ?? first.windowStart;
}
