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
import { compiledScript } from '../../../services/project-root.js';
import { createApiClient, pause } from '../../support/api-client.js';
import { filesHolding, newKeys } from '../../support/encryption-keys.js';
import { queryDatabase } from '../../support/query-database.js';

const MODEL = 'project_outcome';
const FEATURES = [
  { complexity_score: 0.7, team_size: 3 },
  { complexity_score: 0.2, team_size: 9 },
  { complexity_score: 0.9 },
];
/** Files are copied as they are; `docs/guide/backup.md` is run without keys. */
const ENCRYPTION_KEYS = newKeys();
const work = mkdtempSync(join(tmpdir(), 'mlops-backup-'));
const folder = join(work, 'backup');
let stack: TestStack;
let restored: LocalStack | undefined;

/** Runs a command as `npm run` does, on a state folder. */
async function command(name: string, flags: string[], stateDir: string) {
  const child = spawn(process.execPath, [compiledScript('infra/local/on-stack.js'), `commands/${name}.js`, ...flags], {
    env: { ...process.env, DATABASE_URL: '', TEMPORAL_ADDRESS: '', STATE_DIR: stateDir, ENCRYPTION_KEYS },
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
  stack = await TestStack.start({ ENCRYPTION_KEYS });
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

  it('brings back every row, trigger and file into an empty folder, and predicts the same', async () => {
    const stateDir = join(work, 'restored');
    // A file of this backup that an earlier, killed restore has brought already, and the partial one that it was at.
    const [first] = readManifest().files;
    const present = join(stateDir, first!.path);
    cpSync(join(folder, first!.path), present);
    writeFileSync(`${present}.partial`, 'half');
    const { code, told } = await command('restore', ['--from', folder], stateDir);
    expect(code, told).toBe(0);
    restored = new LocalStack({
      stateDir,
      port: 0,
      temporalPort: 0,
      uiPort: 0,
      env: { MODEL_STORAGE_PATH: '', DATA_STORAGE_PATH: '', DATA_SOURCE_ROOTS: '', MODELS_CONFIG: '', ENCRYPTION_KEYS },
    });
    const triggers = await triggersOf(stack.addresses.databaseUrl);
    const datasets = await rowsOf(stack.addresses.databaseUrl, 'datasets');
    await stack.stopKeepingState();
    const { api, databaseUrl } = await restored.start(runSilently);
    expect(await answersOf(api)).toEqual(answers);
    for (const plain of ['PAR1', '"golden"', '"columns"']) expect(filesHolding(stateDir, plain)).toEqual([]);
    expect(await rowsOf(databaseUrl, 'datasets')).toEqual(datasets);
    expect(await triggersOf(databaseUrl)).toEqual(triggers);
    // Of those that nothing writes at a start.
    for (const name of ['version_events', 'traffic_ledger', 'model_aliases', 'routes', 'deployments', 'data_schemas'])
      expect(`${name} ${(await rowsOf(databaseUrl, name)).length}`).toBe(
        `${name} ${readManifest().tables.find((table) => table.name === name)!.rows}`,
      );
    expect(readdirSync(join(stateDir, 'data', 'datasets')).filter((name) => name.startsWith('ds_'))).toHaveLength(1);
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
    const trained = await api.run('/models/train', { model_type: MODEL }, 'backup-after');
    expect(trained['version']).toMatch(/^v1\.\d+\.0$/);
  });
});
