import { join } from 'node:path';
import { BUNDLE_MANIFEST, bundleFolder, loadManifest } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import { readAtRest } from '../encryption/file-keys.js';
import { STAGED } from '../training/training-plan.js';
import { MlflowError, proxiedPath, type MlflowClient } from './mlflow-client.js';
import type { MlflowRun } from './mirror-run.js';

const VERSION_TAG = 'mlops.version';

interface MlflowVersion {
  version: string;
  aliases?: string[];
  tags?: { key: string; value: string }[];
}

interface Context {
  client: MlflowClient;
  database: Database;
  modelStoragePath: string;
}

/** MLflow keeps `latest` and `v1` for itself. */
const aliasOf = (alias: string): string => (alias === 'latest' || /^v\d+$/.test(alias) ? `mlops_${alias}` : alias);

/** A version whose run is not in MLflow yet: it is told once that is. */
export class RunNotMirrored extends Error {
  override readonly name = 'RunNotMirrored';
}

/**
 * Brings a version with its files, state and aliases to MLflow's registry. Repeatable: it is found by its tag.
 * @param subject `model/version`
 * @returns its number there; undefined where there is nothing to tell
 */
export async function mirrorVersion(
  subject: string,
  mirror: { externalId: string | null },
  context: Context,
): Promise<{ externalId: string } | undefined> {
  const [model, version] = subject.split('/') as [string, string];
  const { client, database } = context;
  const row = await database.prisma.modelVersion.findUnique({ where: { model_version: { model, version } } });
  if (!row) {
    // Deleted here; what others have built on it there is theirs to remove.
    if (mirror.externalId !== null) await setTags(client, model, mirror.externalId, { 'mlops.state': 'deleted' });
    return mirror.externalId === null ? undefined : { externalId: mirror.externalId };
  }
  const number = mirror.externalId ?? (await ensureVersion(row, context));
  await setTags(client, model, number, {
    [VERSION_TAG]: version,
    'mlops.state': row.state,
    'mlops.digest': row.digest,
    'mlops.kind': row.kind,
    'mlops.promotable': String(row.promotable),
    ...Object.fromEntries(Object.entries(row.tags as Record<string, string>).map(([k, v]) => [`mlops.tag.${k}`, v])),
  });
  await alignAliases(model, version, number, context);
  return { externalId: number };
}

async function ensureVersion(
  row: { model: string; version: string; jobId: string; digest: string },
  context: Context,
): Promise<string> {
  const { client, database } = context;
  const { model, version } = row;
  await client.post('registered-models/create', { name: model }).catch((error: unknown) => {
    if (!(error instanceof MlflowError && error.code === 'RESOURCE_ALREADY_EXISTS')) throw error;
  });
  const known = await findVersion(client, model, version);
  if (known !== undefined) return known;
  const where = { kind_subject: { kind: 'run', subject: row.jobId } };
  const runMirror = await database.prisma.mlflowMirror.findUnique({ where });
  if (runMirror && runMirror.externalId === null) throw new RunNotMirrored(`the run ${row.jobId} is not in MLflow yet`);
  const source = await uploadFiles(row, runMirror?.externalId ?? null, context);
  const created = await client.post<{ model_version: MlflowVersion }>('model-versions/create', {
    name: model,
    source,
    ...(runMirror?.externalId ? { run_id: runMirror.externalId } : {}),
    tags: [{ key: VERSION_TAG, value: version }],
  });
  return created.model_version.version;
}

async function findVersion(client: MlflowClient, model: string, version: string): Promise<string | undefined> {
  for (let token = ''; ;) {
    const page = await client.get<{ model_versions?: MlflowVersion[]; next_page_token?: string }>(
      'model-versions/search',
      { filter: `name='${model}'`, max_results: '200', ...(token ? { page_token: token } : {}) },
    );
    const isOurs = ({ tags = [] }: MlflowVersion) =>
      tags.some(({ key, value }) => key === VERSION_TAG && value === version);
    const found = page.model_versions?.find(isOurs);
    if (found) return found.version;
    token = page.next_page_token ?? '';
    if (!token) return undefined;
  }
}

/** The files of the version below the artifacts of its run. @returns where they are; without a store of MLflow's own only a name */
async function uploadFiles(
  { model, version, digest }: { model: string; version: string; digest: string },
  runId: string | null,
  { client, modelStoragePath }: Context,
): Promise<string> {
  const run = runId && (await client.get<{ run: MlflowRun }>('runs/get', { run_id: runId })).run;
  const root = run ? proxiedPath(run.info.artifact_uri) : undefined;
  if (!run || root === undefined) return `mlops:/${model}/${version}/${digest}`;
  const folder = bundleFolder(modelStoragePath, model, digest);
  const { files } = await loadManifest(folder, digest);
  for (const file of [BUNDLE_MANIFEST, ...files.map((one) => one.file), STAGED.report]) {
    const bytes = await readAtRest(join(folder, file)).catch((error: NodeJS.ErrnoException) => {
      // Not every version has a report.
      if (error.code === 'ENOENT' && file === STAGED.report) return undefined;
      throw error;
    });
    if (bytes) await client.upload(`${root}/model/${file}`, bytes);
  }
  return `${run.info.artifact_uri}/model`;
}

async function setTags(client: MlflowClient, model: string, number: string, tags: Record<string, string>) {
  for (const [key, value] of Object.entries(tags))
    await client.post('model-versions/set-tag', { name: model, version: number, key, value });
}

/** The aliases that point at the version here, and no others. */
async function alignAliases(model: string, version: string, number: string, { client, database }: Context) {
  const ours = (await database.prisma.modelAlias.findMany({ where: { model, version } })).map(({ alias }) =>
    aliasOf(alias),
  );
  const { model_version: there } = await client.get<{ model_version: MlflowVersion }>('model-versions/get', {
    name: model,
    version: number,
  });
  for (const alias of there.aliases ?? [])
    if (!ours.includes(alias)) await client.remove('registered-models/alias', { name: model, alias });
  for (const alias of ours)
    if (!there.aliases?.includes(alias))
      await client.post('registered-models/alias', { name: model, alias, version: number });
}
