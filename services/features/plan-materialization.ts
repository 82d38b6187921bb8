import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../../core/errors.js';
import { materializeJobSchema, type ViewVersion } from '../../core/schemas/feature-view.js';
import type { Database, Prisma } from '../database/database.js';
import { parseRequest } from '../parse-request.js';
import { findInputs, type ViewInputs } from './view-inputs.js';
import type { ViewStore } from './view-store.js';

/** All that a materialization follows; decided once. */
export interface MaterializationPlan extends ViewVersion {
  jobId: string;
  /** `incremental`: only entities with rows that became known after `startUs`. */
  mode: 'full' | 'incremental';
  /** Microseconds, as text: they are beyond what JSON keeps exactly in other languages. */
  startUs: string | null;
  endUs: string;
  inputs: ViewInputs;
  /** The completed one before it. */
  previous: string | null;
}

const ENDED = ['completed', 'failed', 'cancelled'];

/**
 * Decides what a job fills the online store with. Without `start` only what became known since the last time is looked at, where that is
 * enough: the data is the same, or tells itself from when each row was known.
 * @throws ServiceError `feature_view_not_found`, `dataset_not_found`, `request_invalid`, `feature_view_conflict`
 */
export async function planMaterialization(
  { jobId, request }: { jobId: string; request: unknown },
  { database, views, now }: { database: Database; views: ViewStore; now: () => number },
): Promise<MaterializationPlan> {
  const { prisma } = database;
  const asked = parseRequest(materializeJobSchema, request);
  const known = await prisma.featureMaterialization.findUnique({ where: { id: jobId } });
  const latest = known ? await findVersion(database, known) : await views.latest(asked.view);
  const inputs = (known?.inputs as unknown as ViewInputs | undefined) ?? (await findInputs(prisma, latest.definition));
  const previous = await prisma.featureMaterialization.findFirst({
    where: { view: asked.view, version: latest.version, state: 'completed', id: { not: jobId } },
    orderBy: { createdAt: 'desc' },
  });
  const nowMs = now();
  const endUs = known?.endUs ?? BigInt(asked.end ? Date.parse(asked.end) : nowMs) * 1000n;
  refuseEnd(endUs, asked.end, nowMs, previous);
  const isSameData = isDeepStrictEqual(previous?.inputs, inputs);
  const isEnough = previous && previous.endUs < endUs && (isSameData || latest.definition.available_time !== undefined);
  const startUs = asked.start ? BigInt(Date.parse(asked.start)) * 1000n - 1n : isEnough ? previous.endUs : null;
  const planned = { mode: startUs === null || !previous ? 'full' : 'incremental', startUs, endUs } as const;
  if (!known) await insert(database, { id: jobId, view: latest.view, version: latest.version, ...planned, inputs });
  return {
    ...latest,
    jobId,
    mode: (known?.mode as MaterializationPlan['mode'] | undefined) ?? planned.mode,
    startUs: (known ? known.startUs : planned.mode === 'full' ? null : startUs)?.toString() ?? null,
    endUs: endUs.toString(),
    inputs,
    previous: previous?.id ?? null,
  };
}

async function findVersion(
  { prisma }: Database,
  { view, version }: { view: string; version: number },
): Promise<ViewVersion> {
  const row = await prisma.featureView.findUniqueOrThrow({ where: { view_version: { view, version } } });
  return { view, version, digest: row.digest, definition: row.definition as unknown as ViewVersion['definition'] };
}

function refuseEnd(endUs: bigint, asked: string | undefined, nowMs: number, previous: { endUs: bigint } | null): void {
  const message =
    endUs > BigInt(nowMs + 60_000) * 1000n
      ? 'must not lie in the future: values would count before they are known'
      : previous && endUs < previous.endUs
        ? `must not lie before ${new Date(Number(previous.endUs / 1000n)).toISOString()}, up to which the view is filled already`
        : undefined;
  if (message !== undefined)
    throw new ServiceError('request_invalid', `end: ${message} (it is ${asked ?? 'now'}).`, [{ path: 'end', message }]);
}

/** @throws ServiceError `feature_view_conflict` while another job fills the view @returns one that ended without saying so */
export async function refuseSecondFilling(prisma: Prisma.TransactionClient, view: string): Promise<string | undefined> {
  const running = await prisma.featureMaterialization.findFirst({ where: { view, state: 'running' } });
  if (!running) return undefined;
  const job = await prisma.job.findUnique({ where: { id: running.id } });
  if (job && !ENDED.includes(job.status))
    throw new ServiceError(
      'feature_view_conflict',
      `The job ${running.id} is filling the view ${view}. Wait for it, or cancel it.`,
    );
  return running.id;
}

/** Of two at once the database lets one in. One whose job has ended without saying so gives way. */
async function insert(
  { prisma }: Database,
  row: {
    id: string;
    view: string;
    version: number;
    mode: string;
    startUs: bigint | null;
    endUs: bigint;
    inputs: ViewInputs;
  },
): Promise<void> {
  await prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`materialize:${row.view}`}))`;
    const left = await refuseSecondFilling(transaction, row.view);
    if (left !== undefined)
      await transaction.featureMaterialization.update({
        where: { id: left },
        data: { state: 'failed', finishedAt: new Date() },
      });
    const startUs = row.mode === 'full' ? null : row.startUs;
    await transaction.featureMaterialization.create({
      data: { ...row, startUs, state: 'running', inputs: row.inputs as never },
    });
  });
}
