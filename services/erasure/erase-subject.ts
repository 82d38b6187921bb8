import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { eraseJobSchema } from '../../core/schemas/retention.js';
import type { Container } from '../container.js';
import { loggedDaysFolder } from '../datasets/logged-days.js';
import { parseRequest } from '../parse-request.js';
import { versionsOfDataset } from '../lineage/read-lineage.js';
import type { ErasureReport } from './erasure-store.js';
import { withFilesLock } from './files-lock.js';
import { redactDataset } from './redact-dataset.js';
import { filesBelow, searchFiles } from './subject-in-files.js';
import { countInParquet, eraseFromParquet, type EntityColumns } from './subject-in-parquet.js';
import { eraseFromTables, searchTables } from './subject-in-rows.js';
import { bringAll, sendFolder } from '../storage/shared-files.js';

export type ErasureContext = Pick<
  Container,
  | 'config'
  | 'apiFetch'
  | 'credentials'
  | 'database'
  | 'folders'
  | 'failPoint'
  | 'featureViews'
  | 'redisFeatures'
  | 'readModelsConfig'
  | 'stepCache'
>;
export interface ErasureStep {
  jobId: string;
  erasureId: string;
}

/** @throws ServiceError `erasure_not_found` */
export async function beginErasure(
  { request }: { jobId: string; request: unknown },
  { database }: ErasureContext,
): Promise<{ erasureId: string }> {
  const { erasure_id: erasureId } = parseRequest(eraseJobSchema, request);
  await subjectOf(database, erasureId);
  await database.prisma.erasure.update({ where: { id: erasureId }, data: { state: 'running' } });
  return { erasureId };
}

async function subjectOf({ prisma }: ErasureContext['database'], id: string): Promise<string> {
  const row = await prisma.erasure.findUnique({ where: { id } });
  if (row?.subject) return row.subject;
  throw new ServiceError(
    'erasure_not_found',
    `There is no erasure ${id} that is still to be done. DELETE /subjects/{entity_id} starts one.`,
  );
}

/** Adds to what the report says. An attempt that is repeated finds nothing more, and so adds nothing. */
async function note(
  { prisma }: ErasureContext['database'],
  id: string,
  change: (report: Partial<ErasureReport>) => Partial<ErasureReport>,
): Promise<void> {
  await prisma.$transaction(async (transaction) => {
    await transaction.$queryRaw`SELECT id FROM erasures WHERE id = ${id} FOR UPDATE`;
    const row = await transaction.erasure.findUniqueOrThrow({ where: { id } });
    const report = row.report as Partial<ErasureReport>;
    await transaction.erasure.update({ where: { id }, data: { report: { ...report, ...change(report) } as never } });
  });
}

const addCounts = (before: Record<string, number> = {}, counts: readonly { store: string; rows: number }[]) => {
  const sums = { ...before };
  for (const { store, rows } of counts) sums[store] = (sums[store] ?? 0) + rows;
  return sums;
};

/** Has all API processes bring their logs to the database and forget what they answered, and empties what Redis shares. */
export async function forgetInMemory(
  { erasureId }: ErasureStep,
  { config, apiFetch, credentials, database, redisFeatures }: ErasureContext,
): Promise<void> {
  const subject = await subjectOf(database, erasureId);
  const response = await apiFetch(`${config.apiBaseUrl}/subjects/forget`, {
    method: 'POST',
    headers: await credentials.headers('admin'),
    signal: AbortSignal.timeout(30_000),
  }).catch((error: unknown) => {
    throw new Error(`The API at ${config.apiBaseUrl} cannot be reached to have it forget.`, { cause: error });
  });
  const { forgotten, waiting } = (response.ok ? await response.json() : {}) as { forgotten?: number; waiting?: number };
  if (forgotten === undefined || waiting === undefined || waiting > 0)
    throw new Error(
      `The API has not forgotten yet: POST /subjects/forget answered ${response.status}, ${waiting ?? '?'} rows wait on disk.`,
    );
  const keys = redisFeatures ? await redisFeatures.forget(subject) : 0;
  await note(database, erasureId, ({ erased }) => ({
    erased: addCounts(erased, [
      { store: 'api:memory', rows: forgotten },
      ...(redisFeatures ? [{ store: 'redis', rows: keys }] : []),
    ]),
  }));
}

export async function eraseRows({ erasureId }: ErasureStep, { database }: ErasureContext): Promise<void> {
  const counts = await eraseFromTables(database, await subjectOf(database, erasureId));
  await note(database, erasureId, ({ erased }) => ({ erased: addCounts(erased, counts) }));
}

/** Rewrites snapshots, their quarantine, and the exported days of the log. */
export async function eraseFiles(
  { erasureId }: ErasureStep,
  context: ErasureContext & { signal: AbortSignal },
  onProgress: (share: number) => void,
): Promise<void> {
  const { database, folders, failPoint } = context;
  const subject = await subjectOf(database, erasureId);
  const entityColumnsOf = await entityColumns(context);
  await withFilesLock(database, context.signal, async (signal) => {
    await bringAll(folders.datasets);
    const names = (await readdir(folders.datasets).catch(() => [])).filter((name) => name.startsWith('ds_'));
    for (const [at, datasetId] of names.entries()) {
      signal.throwIfAborted();
      const rows = await redactDataset(
        { datasetId, subject, erasureId },
        { database, datasetsFolder: folders.datasets, failPoint, entityColumnsOf },
      );
      if (rows > 0)
        await note(database, erasureId, ({ erased, datasets = [] }) => ({
          erased: addCounts(erased, [{ store: 'datasets', rows }]),
          datasets: [...new Set([...datasets, datasetId])],
        }));
      onProgress((at + 1) / (names.length + 1));
    }
    // Tables that were made from the rows that were rewritten.
    await context.stepCache.clear();
    const days = (await filesBelow(loggedDaysFolder(folders.datasets))).filter((file) => file.endsWith('.parquet'));
    for (const file of days) {
      const rows = await countInParquet(file, subject, new Set());
      if (rows === 0) continue;
      await eraseFromParquet(file, subject, new Set());
      await sendFolder(dirname(file));
      await note(database, erasureId, ({ erased }) => ({
        erased: addCounts(erased, [{ store: 'exported predictions', rows }]),
      }));
    }
  });
}

/** Columns that name entities, by data type: of models and of feature views. */
async function entityColumns({
  readModelsConfig,
  featureViews,
}: ErasureContext): Promise<(dataType: string) => EntityColumns> {
  const columns = new Map<string, Set<string>>();
  const add = (dataType: string, column: string | undefined) => {
    if (column !== undefined) columns.set(dataType, (columns.get(dataType) ?? new Set()).add(column));
  };
  for (const { source, entity } of (await readModelsConfig()).models.values()) add(source, entity);
  for (const name of await featureViews.names()) {
    const { definition } = await featureViews.latest(name);
    for (const dataType of definition.source ? [definition.source] : Object.keys(definition.sources ?? {}))
      add(dataType, definition.entity);
  }
  return (dataType) => columns.get(dataType) ?? new Set();
}

/** Looks for the person in every store. @returns in how many places the person still stands where something could be erased */
export async function searchSubject({ erasureId }: ErasureStep, context: ErasureContext): Promise<{ found: number }> {
  const { config, database, folders, redisFeatures } = context;
  const subject = await subjectOf(database, erasureId);
  const tables = await searchTables(database, subject);
  await bringAll(config.dataStoragePath);
  const data = await searchFiles(config.dataStoragePath, subject, new Set());
  const spools = await searchFiles(join(config.stateDir, 'spool'), subject, new Set());
  const searched: ErasureReport['searched'] = [
    ...tables.map(({ store, rows }) => ({ store, remaining: rows })),
    { store: 'data files', remaining: data.found.length, places: data.found.slice(0, 50) },
    { store: 'spools', remaining: spools.found.length, places: spools.found.slice(0, 50) },
    ...(redisFeatures ? [{ store: 'redis', remaining: (await redisFeatures.has(subject)) ? 1 : 0 }] : []),
  ];
  const models = await findModels(erasureId, subject, { config, database, folders });
  const found = searched.reduce((sum, { remaining }) => sum + remaining, 0);
  await note(database, erasureId, () => ({ searched, models, complete: found === 0 }));
  return { found };
}

/** A model is not rewritten: what it has learnt cannot be taken out of it. So it is said which ones have to be trained again. */
async function findModels(
  erasureId: string,
  subject: string,
  { config, database }: Pick<ErasureContext, 'config' | 'database' | 'folders'>,
): Promise<ErasureReport['models']> {
  const { prisma } = database;
  const row = await prisma.erasure.findUniqueOrThrow({ where: { id: erasureId } });
  const { datasets = [] } = row.report as Partial<ErasureReport>;
  const found = new Map<string, ErasureReport['models'][number]>();
  const add = ({ model, version, state }: { model: string; version: string; state: string }) => {
    const key = `${model} ${version}`;
    const known = found.get(key) ?? { model, version, state, datasets: [], names_subject: false };
    found.set(key, known);
    return known;
  };
  for (const dataset of datasets)
    for (const version of await versionsOfDataset(prisma, dataset)) add(version).datasets.push(dataset);
  await bringAll(config.modelStoragePath);
  const files = await searchFiles(config.modelStoragePath, subject, new Set());
  for (const version of await prisma.modelVersion.findMany())
    if (files.found.some((file) => file.startsWith(`${join(version.model, version.digest)}/`)))
      add(version).names_subject = true;
  return [...found.values()];
}

/** Writes down how it ended, and lets the name of the person go with it. Repeatable. */
export async function finishErasure(
  { erasureId, end }: ErasureStep & { end: 'searched' | 'failed' },
  { database: { prisma } }: Pick<ErasureContext, 'database'>,
) {
  const row = await prisma.erasure.findUniqueOrThrow({ where: { id: erasureId } });
  const report = row.report as Partial<ErasureReport>;
  // One that failed may be asked for again, and then finds its work half-done.
  const state = end === 'failed' ? 'failed' : report.complete ? 'completed' : 'incomplete';
  await prisma.erasure.update({
    where: { id: erasureId },
    data: { state, subject: null, finishedAt: row.finishedAt ?? new Date() },
  });
  return { erasure_id: erasureId, state, erased: report.erased ?? {}, complete: report.complete ?? false };
}

/** An erasure whose workflow was ended from outside has failed; the next call for the person starts another. */
export async function abandonErasureOf(jobId: string, context: Pick<ErasureContext, 'database'>): Promise<void> {
  const job = await context.database.prisma.job.findUnique({ where: { id: jobId, type: 'erase' } });
  const erasure = eraseJobSchema.safeParse(job?.request);
  if (erasure.success) await finishErasure({ jobId, erasureId: erasure.data.erasure_id, end: 'failed' }, context);
}
