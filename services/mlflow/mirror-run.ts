import type { Database } from '../database/database.js';
import { createRunStore, type PresentedRun } from '../tracking/run-store.js';
import { MlflowError, type MlflowClient } from './mlflow-client.js';

/** By this tag a run is found again, whoever has created it and died before it was written down. */
export const RUN_TAG = 'mlops.run_id';
/** What MLflow takes in one call. */
const MOST_METRICS = 1000;
const MOST_PARAMS = 100;
const LONGEST_VALUE = 5000;
/** A figure may be written down a little after its time. */
const OVERLAP_MS = 60_000;

const STATUS: Record<string, string> = {
  running: 'RUNNING',
  completed: 'FINISHED',
  failed: 'FAILED',
  cancelled: 'KILLED',
  pruned: 'KILLED',
};

/** A run as MLflow tells it. */
export interface MlflowRun {
  info: { run_id: string; artifact_uri: string };
}

/** MLflow's names have letters, digits and _ - . / : and blanks. */
const nameOf = (name: string): string => name.replaceAll(/[^\w\-./: ]/g, '_').slice(0, 250);

/** The experiment of a model, made where there is none. */
async function experimentOf(client: MlflowClient, model: string): Promise<string> {
  const name = `ml-pipeline-service/${model}`;
  const find = () =>
    client.get<{ experiment: { experiment_id: string } }>('experiments/get-by-name', { experiment_name: name });
  try {
    return (await find()).experiment.experiment_id;
  } catch (error) {
    if (!(error instanceof MlflowError && error.code === 'RESOURCE_DOES_NOT_EXIST')) throw error;
  }
  try {
    return (await client.post<{ experiment_id: string }>('experiments/create', { name })).experiment_id;
  } catch (error) {
    // Somebody else was first.
    if (!(error instanceof MlflowError && error.code === 'RESOURCE_ALREADY_EXISTS')) throw error;
    return (await find()).experiment.experiment_id;
  }
}

async function ensureRun(client: MlflowClient, run: PresentedRun, known: string | null): Promise<MlflowRun> {
  if (known !== null) return (await client.get<{ run: MlflowRun }>('runs/get', { run_id: known })).run;
  const experiment = await experimentOf(client, run.model);
  const filter = `tags.\`${RUN_TAG}\` = '${run.run_id.replaceAll("'", '')}'`;
  const { runs = [] } = await client.post<{ runs?: MlflowRun[] }>('runs/search', {
    experiment_ids: [experiment],
    filter,
    max_results: 1,
  });
  if (runs[0]) return runs[0];
  const created = await client.post<{ run: MlflowRun }>('runs/create', {
    experiment_id: experiment,
    run_name: run.run_id,
    start_time: Date.parse(run.created_at),
    tags: [{ key: RUN_TAG, value: run.run_id }],
  });
  return created.run;
}

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, LONGEST_VALUE);

/** Facts that are neither parameters nor figures. */
function tagsOf(run: PresentedRun, parent: string | null) {
  const tags: Record<string, unknown> = {
    [RUN_TAG]: run.run_id,
    'mlops.kind': run.kind,
    'mlops.status': run.status,
    'mlops.model': run.model,
    'mlops.version': run.version,
    'mlops.dataset_id': run.dataset_id,
    'mlops.dataset_digest': run.dataset_digest,
    'mlops.code_version': run.code_version,
    'mlops.environment': run.environment,
    'mlops.error': run.error,
    'mlflow.parentRunId': parent,
  };
  return Object.entries(tags)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => ({ key, value: textOf(value) }));
}

interface Figure {
  key: string;
  value: number;
  step: number;
  timestamp: number;
}

/**
 * Brings a run to MLflow as it is now. Repeatable: the run is found by its tag, a figure of the same step and time is one figure, and
 * parameters, which MLflow never changes, are told once they are final.
 * @returns its id there, and up to when its figures have been told
 */
export async function mirrorRun(
  runId: string,
  mirror: { externalId: string | null; pointsUntil: Date | null },
  { client, database }: { client: MlflowClient; database: Database },
): Promise<{ externalId: string; pointsUntil: Date | null } | undefined> {
  const row = await database.prisma.run.findUnique({ where: { id: runId }, select: { id: true } });
  if (!row) return undefined;
  const run = await createRunStore(database).get(runId);
  const { info } = await ensureRun(client, run, mirror.externalId);
  const since = mirror.pointsUntil && new Date(mirror.pointsUntil.getTime() - OVERLAP_MS);
  const points = await database.prisma.runMetric.findMany({
    where: { runId, ...(since ? { at: { gte: since } } : {}) },
    orderBy: [{ name: 'asc' }, { step: 'asc' }],
  });
  const figures: Figure[] = points.map(({ name, value, step, at }) => ({
    key: nameOf(name),
    value,
    step,
    timestamp: at.getTime(),
  }));
  const isFinal = run.status !== 'running';
  if (isFinal) figures.push(...finalFigures(run));
  for (let at = 0; at < figures.length; at += MOST_METRICS)
    await client.post('runs/log-batch', { run_id: info.run_id, metrics: figures.slice(at, at + MOST_METRICS) });
  const params = isFinal
    ? Object.entries(run.params).map(([key, value]) => ({ key: nameOf(key), value: textOf(value) }))
    : [];
  for (let at = 0; at < params.length; at += MOST_PARAMS)
    await client.post('runs/log-batch', { run_id: info.run_id, params: params.slice(at, at + MOST_PARAMS) });
  await client.post('runs/log-batch', { run_id: info.run_id, tags: tagsOf(run, await parentOf(run, database)) });
  await client.post('runs/update', {
    run_id: info.run_id,
    status: STATUS[run.status],
    ...(run.finished_at ? { end_time: Date.parse(run.finished_at) } : {}),
  });
  const last = points.reduce((latest, { at }) => Math.max(latest, at.getTime()), mirror.pointsUntil?.getTime() ?? 0);
  return { externalId: info.run_id, pointsUntil: last > 0 ? new Date(last) : null };
}

/** At the time of the run's end, so that a repetition tells the same. */
function finalFigures(run: PresentedRun): Figure[] {
  const timestamp = Date.parse(run.finished_at ?? run.created_at);
  const named = { ...run.metrics, ...Object.fromEntries(Object.entries(run.cost).map(([k, v]) => [`cost.${k}`, v])) };
  return Object.entries(named).map(([key, value]) => ({ key: nameOf(key), value, step: 0, timestamp }));
}

async function parentOf({ parent_id: parent }: PresentedRun, { prisma }: Database): Promise<string | null> {
  if (parent === null) return null;
  const where = { kind_subject: { kind: 'run', subject: parent } };
  return (await prisma.mlflowMirror.findUnique({ where }))?.externalId ?? null;
}
