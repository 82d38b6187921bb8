import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalStack } from '../../../infra/local/local-stack.js';
import { runSilently } from '../../../infra/local/progress-lines.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { TestStack } from '../../../infra/local/test-stack.js';
import type { BackupManifest } from '../../../services/backup/backup-folder.js';
import { compiledScript, projectRoot } from '../../../services/project-root.js';
import { sha256OfFile } from '../../../services/storage/sha256-of-file.js';
import { createApiClient, pause } from '../../support/api-client.js';
import { filesHolding, newKeys } from '../../support/encryption-keys.js';
import { queryDatabase } from '../../support/query-database.js';
import { S3_KEYS, startS3Server } from '../../support/s3-server.js';

const MODEL = 'project_outcome';
const FEATURES = [
  { complexity_score: 0.7, team_size: 3 },
  { complexity_score: 0.2, team_size: 9 },
  { complexity_score: 0.9 },
];
/** Files are copied as they are; `docs/guide/backup.md` is run without keys and without an S3 store. */
const OLD_KEYS = newKeys('k1');
const KEYS = `${newKeys('k2')},${OLD_KEYS}`;
const BUCKET = 'mlops';
const PERSON = 'proj_1';
const work = mkdtempSync(join(tmpdir(), 'mlops-backup-'));
const folder = join(work, 'backup');
const restoredDir = join(work, 'restored');
let s3: Awaited<ReturnType<typeof startS3Server>>;
let stack: TestStack;
let restored: LocalStack | undefined;

const databaseUrl = () => restored!.addresses.databaseUrl;

/** Settings of an installation that keeps its files below a prefix of the bucket. */
const storeBelow = (prefix: string) => ({
  S3_ENDPOINT: s3.endpoint,
  S3_ACCESS_KEY_ID: S3_KEYS.accessKeyId,
  S3_SECRET_ACCESS_KEY: S3_KEYS.secretAccessKey,
  MODEL_STORAGE_PATH: `s3://${BUCKET}/${prefix}`,
  DATA_STORAGE_PATH: `s3://${BUCKET}/${prefix}`,
});
const keysBelow = async (path: string) => (await s3.list()).filter((key) => key.startsWith(path));

/** Runs a command as `npm run` does, on a state folder. */
async function command(name: string, flags: string[], stateDir: string, prefix = 'first') {
  const child = spawn(process.execPath, [compiledScript('infra/local/on-stack.js'), `commands/${name}.js`, ...flags], {
    env: {
      ...process.env,
      DATABASE_URL: '',
      TEMPORAL_ADDRESS: '',
      STATE_DIR: stateDir,
      ENCRYPTION_KEYS: OLD_KEYS,
      ...storeBelow(prefix),
    },
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, told };
}

const readManifest = () => JSON.parse(readFileSync(join(folder, 'backup.json'), 'utf8')) as BackupManifest;

async function answersOf(url: string) {
  const api = createApiClient(() => url);
  return Promise.all(
    FEATURES.map(async (features) => {
      const { status, body } = await api.call('POST', `/predict/${MODEL}`, { features });
      expect(status).toBe(200);
      return { predictions: body['predictions'], scores: body['confidence_scores'], version: body['model_version'] };
    }),
  );
}

/** Waits until all predictions that are in the database, and at least some, are in the sums of the log. @returns how many */
async function summedUp(url: string, least = 1): Promise<number> {
  for (let tries = 0; ; tries++) {
    const [found] = await queryDatabase<{ rows: number; summed: number }>(
      url,
      `SELECT (SELECT count(*)::int FROM predictions) AS rows,
         (SELECT coalesce(sum((answers->>'requests')::int), 0)::int FROM performance_rollups WHERE span = 'day' AND segment = '') AS summed`,
    );
    if (found!.rows >= least && found!.summed === found!.rows) return found!.rows;
    if (tries > 300) throw new Error(`${found!.summed} of ${found!.rows} predictions are summed up.`);
    await pause(200);
  }
}

const rowsOf = (url: string, table: string) => queryDatabase(url, `SELECT t::text FROM "${table}" t ORDER BY 1`);
const triggersOf = (url: string) =>
  queryDatabase(
    url,
    `SELECT tgrelid::regclass::text AS "table", tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`,
  );

beforeAll(async () => {
  s3 = await startS3Server(BUCKET);
  stack = await TestStack.start({ ENCRYPTION_KEYS: OLD_KEYS, ...storeBelow('first') });
  const api = createApiClient(() => stack.api);
  await api.run('/data/ingest', { source: 'projects.csv', data_type: 'projects' }, 'backup-ingest');
  await api.run('/models/train', { model_type: MODEL, auto_deploy: true }, 'backup-train');
  await api.call('PUT', `/schedules/${MODEL}`, {
    cron: '0 3 * * 1',
    timezone: 'Europe/Berlin',
    paused: true,
    note: 'frozen',
  });
});
afterAll(async () => {
  await restored?.stop();
  if (restored) deleteStateFolder(restored.options.stateDir);
  await stack?.stop();
  s3?.stop();
  rmSync(work, { recursive: true, force: true });
});

describe('backup and restore', () => {
  let answers: Awaited<ReturnType<typeof answersOf>>;

  it('copies a service that answers and trains meanwhile', async () => {
    // As in a cluster that has seen many transactions: the next one will have seen few.
    await queryDatabase(
      stack.addresses.databaseUrl,
      `CREATE OR REPLACE FUNCTION arrival_offset() RETURNS BIGINT LANGUAGE sql STABLE AS 'SELECT 5000000::bigint'`,
    );
    answers = await answersOf(stack.api);
    await summedUp(stack.addresses.databaseUrl);
    const api = createApiClient(() => stack.api);
    const training = api.postUntilAccepted('/models/train', { model_type: MODEL }, 'backup-beside');
    const { code, told } = await command('backup', ['--to', folder], stack.stateDir);
    expect(code, told).toBe(0);
    expect(await answersOf(stack.api)).toEqual(answers);
    const manifest = readManifest();
    expect(manifest.tables.find(({ name }) => name === 'predictions')?.columns).toContain('created_at');
    expect(manifest.tables.find(({ name }) => name === 'datasets')?.rows).toBe(1);
    expect(manifest.schedules).toMatchObject([{ schedule_id: `retrain-${MODEL}`, paused: true, note: 'frozen' }]);
    expect(manifest.problems).toEqual([]);
    await api.waitForJob(await training);
  });

  it('refuses a folder that holds a backup, and a database that has rows', async () => {
    const again = await command('backup', ['--to', folder], stack.stateDir);
    expect(again.code).toBe(1);
    expect(again.told).toContain('holds a backup already');
    const filled = await command('restore', ['--from', folder], stack.stateDir);
    expect(filled.code).toBe(1);
    expect(filled.told).toMatch(/The database is not empty: its table \w+ has rows/);
  });

  it('brings back every file into an empty folder and below an empty prefix of a bucket, and refuses one that is not', async () => {
    await s3.put('restored/models/other/model.json', '{}');
    const refused = await command('restore', ['--from', folder], restoredDir, 'restored');
    expect(refused).toMatchObject({ code: 1, told: expect.stringContaining('has other/model.json') as string });
    await s3.remove('restored/models/other/model.json');
    // A file of this backup that an earlier, killed restore has brought already, and the partial one that it was at.
    const { files } = readManifest();
    const present = join(restoredDir, files[0]!.path);
    cpSync(join(folder, files[0]!.path), present);
    writeFileSync(`${present}.partial`, 'half');
    const { code, told } = await command('restore', ['--from', folder], restoredDir, 'restored');
    expect(code, told).toBe(0);
    expect(await keysBelow('restored/')).toEqual(files.map(({ path }) => `restored/${path}`).toSorted());
    for (const { path } of files)
      expect(await sha256OfFile(join(restoredDir, path))).toBe(await sha256OfFile(join(folder, path)));
  });

  it('brings back every row and trigger, and predicts the same on machines that have nothing but the store', async () => {
    const models = join(work, 'models');
    cpSync(join(projectRoot(), 'models'), models, { recursive: true });
    writeFileSync(join(models, 'retention.yaml'), 'datasets: { spare: { days: 1 } }\nstaging_days: 1\n');
    for (const copies of ['models', 'data', 'shared']) rmSync(join(restoredDir, copies), { recursive: true });
    restored = new LocalStack({
      stateDir: restoredDir,
      port: 0,
      temporalPort: 0,
      uiPort: 0,
      env: {
        DATA_SOURCE_ROOTS: '',
        MODELS_CONFIG: join(models, 'config.yaml'),
        ENCRYPTION_KEYS: KEYS,
        ...storeBelow('restored'),
      },
      // Fits and trials find what the other worker has staged by the store alone.
      envOf: (part, env) => (part === 'training-worker' ? { ...env, STATE_DIR: join(work, 'trainer') } : env),
    });
    const triggers = await triggersOf(stack.addresses.databaseUrl);
    const datasets = await rowsOf(stack.addresses.databaseUrl, 'datasets');
    await stack.stopKeepingState();
    const { api, databaseUrl } = await restored.start(runSilently);
    expect(await answersOf(api)).toEqual(answers);
    for (const plain of ['PAR1', '"golden"', '"columns"']) expect(filesHolding(restoredDir, plain)).toEqual([]);
    expect(await rowsOf(databaseUrl, 'datasets')).toEqual(datasets);
    expect(await triggersOf(databaseUrl)).toEqual(triggers);
    // The partitioned log as a whole, which the server itself never looks at.
    const analyzed = `SELECT 1 FROM pg_stats WHERE tablename = 'predictions' AND inherited`;
    expect(await queryDatabase(databaseUrl, analyzed)).not.toEqual([]);
    // Of those that nothing writes at a start.
    for (const name of ['version_events', 'traffic_ledger', 'model_aliases', 'routes', 'deployments', 'data_schemas'])
      expect(`${name} ${(await rowsOf(databaseUrl, name)).length}`).toBe(
        `${name} ${readManifest().tables.find((table) => table.name === name)!.rows}`,
      );
  });

  it('sums up what was answered before the backup once, and all that is answered since', async () => {
    const { api, databaseUrl } = restored!.addresses;
    const rows = await summedUp(databaseUrl);
    await answersOf(api);
    expect(await summedUp(databaseUrl, rows + FEATURES.length)).toBeGreaterThanOrEqual(rows + FEATURES.length);
  });

  it('goes on numbering where it was, puts schedules back, and works on', async () => {
    const { api: url, stateDir } = restored!.addresses;
    const api = createApiClient(() => url);
    expect((await command('restore', ['--from', folder, '--schedules'], stateDir)).told).toContain(
      '1 schedules are back',
    );
    expect((await api.call('GET', `/schedules/${MODEL}`)).body).toMatchObject({
      cron: '0 3 * * 1',
      timezone: 'Europe/Berlin',
      paused: true,
      note: 'frozen',
    });
    const search = { trials: 3, parallelism: 2, pruner: 'none', warm_start: false };
    const trained = await api.run('/models/train', { model_type: MODEL, search }, 'backup-after');
    expect(trained['version']).toMatch(/^v1\.\d+\.0$/);
    const trials = await queryDatabase(databaseUrl(), 'SELECT state FROM sweep_trials');
    expect(trials).toEqual([{ state: 'completed' }, { state: 'completed' }, { state: 'completed' }]);
    expect(readdirSync(join(work, 'trainer', 'models', '.staging'))).toHaveLength(1);
  });
});

describe('an installation whose files are in an S3 store', () => {
  const api = createApiClient(() => restored!.addresses.api);
  const copyOf = (key: string) => join(restoredDir, key.slice('restored/'.length));

  it('encrypts all of them anew', async () => {
    await api.run('/encryption/reencrypt', {}, 'store-keys');
    const { body } = await api.call<{ keys: object[] }>('GET', '/encryption/keys');
    expect(body.keys).toMatchObject([{ key_id: 'k2' }]);
    for (const key of await keysBelow('restored/'))
      expect(`${key} ${(await s3.get(key)).toString('latin1', 0, 8)}`).toBe(`${key} MLSE\u0001\u0002k2`);
  });

  it('erases a person from them', async () => {
    const [row] = await queryDatabase<{ id: string; digest: string }>(databaseUrl(), 'SELECT id, digest FROM datasets');
    const key = (await keysBelow(`restored/data/datasets/${row!.id}/`)).find((one) => one.endsWith('data.parquet'))!;
    const before = await s3.get(key);
    const { body } = await api.call<{ job_id: string; erasure_id: string }>('DELETE', `/subjects/${PERSON}`);
    expect(await api.waitForJob(body.job_id)).toMatchObject({ status: 'completed', result: { complete: true } });
    expect((await s3.get(key)).equals(before)).toBe(false);
    rmSync(copyOf(key));
    const rows = await api.call<{ items: object[] }>('GET', `/data/datasets/${row!.id}/rows?limit=500`);
    expect(rows.body.items.length).toBeGreaterThan(100);
    expect(JSON.stringify(rows.body)).not.toContain(`"${PERSON}"`);
  });

  it('lets go by retention what a machine has left there that is no more, and a dataset with all its objects', async () => {
    const spare = async (key: string) => {
      const upload = await fetch(`${restored!.addresses.api}/data/uploads?format=csv`, {
        method: 'POST',
        body: 'a,b\n1,2\n',
      });
      const { source } = (await upload.json()) as { source: string };
      return String((await api.run('/data/ingest', { source, data_type: 'spare' }, key))['dataset_id']);
    };
    const [older, newer] = [await spare('store-older'), await spare('store-newer')];
    const left = ['restored/data/datasets/.staging/left/part.csv', 'restored/data/datasets/ds_nobody/data.parquet'];
    for (const key of left) {
      await s3.put(key, 'x');
      s3.age(key, 3);
    }
    await queryDatabase(databaseUrl(), `UPDATE datasets SET created_at = created_at - interval '3 days'`);
    expect(await api.run('/retention/run', {}, 'store-retention')).toMatchObject({ ids: [older, 'left', 'ds_nobody'] });
    const keys = await s3.list();
    expect(keys.filter((key) => key.includes(older) || left.includes(key))).toEqual([]);
    expect(keys.filter((key) => key.includes(newer)).length).toBeGreaterThan(0);
  });
});
