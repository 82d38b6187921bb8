import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useFileKeys } from '../../../services/encryption/file-keys.js';
import { pathHere } from '../../../services/storage/path-here.js';
import {
  bringAll,
  bringFolder,
  dropShared,
  inSharedFolder,
  refreshCopies,
  sendFolder,
  useSharedFiles,
} from '../../../services/storage/shared-files.js';
import { readStorageSettings } from '../../../services/storage/storage-settings.js';
import { StepCache } from '../../../services/training/step-cache.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';
import { S3_KEYS, startS3Server } from '../../support/s3-server.js';

let s3: Awaited<ReturnType<typeof startS3Server>>;
let folder: string;
let count = 0;
const settings = () => ({ endpoint: s3.endpoint, region: 'us-east-1', ...S3_KEYS });

/** A path on one of two machines, which here are two folders of one process. */
const on = (machine: 'a' | 'b', path: string) => join(folder, machine, 'data', path);
const write = (machine: 'a' | 'b', path: string, content: string) => {
  mkdirSync(dirname(on(machine, path)), { recursive: true });
  writeFileSync(on(machine, path), content);
};
const read = (machine: 'a' | 'b', path: string) => readFileSync(on(machine, path), 'utf8');
const keysOf = async (path: string) => (await s3.list()).filter((key) => key.includes(path));

beforeAll(async () => {
  s3 = await startS3Server('mlops');
});
afterAll(() => s3.stop());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-shared-'));
  const prefix = `test-${++count}/data`;
  const rootOf = (machine: string) => ({
    root: join(folder, machine, 'data'),
    records: join(folder, machine, 'shared'),
    bucket: 'mlops',
    prefix,
  });
  useSharedFiles([rootOf('a'), rootOf('b')], settings());
});
afterEach(() => {
  useFileKeys(undefined);
  useSharedFiles([], settings());
  rmSync(folder, { recursive: true, force: true });
});

describe('files that machines share by an S3 store', () => {
  it('are on the other machine as they were sent, once it asks for them', async () => {
    write('a', 'datasets/ds_1/data.parquet', 'rows');
    write('a', 'datasets/ds_1/manifest.json', '{}');
    write('a', 'datasets/ds_1/half.partial', 'no');
    await sendFolder(on('a', 'datasets/ds_1'));
    expect(existsSync(on('b', 'datasets/ds_1'))).toBe(false);
    await bringFolder(on('b', 'datasets/ds_1'), { only: (name) => name === 'manifest.json' });
    expect(existsSync(on('b', 'datasets/ds_1/data.parquet'))).toBe(false);
    await bringFolder(on('b', 'datasets/ds_1'));
    expect(read('b', 'datasets/ds_1/data.parquet')).toBe('rows');
    expect(await keysOf('half')).toEqual([]);
  });

  it('follow what was written anew and what was taken out, and keep what this machine has not sent yet', async () => {
    write('a', 'datasets/.staging/job/one.json', '1');
    write('a', 'datasets/.staging/job/two.json', '2');
    const [here, there] = [on('a', 'datasets/.staging/job'), on('b', 'datasets/.staging/job')];
    await sendFolder(here);
    await bringFolder(there);
    write('b', 'datasets/.staging/job/three.json', 'unsent');
    write('a', 'datasets/.staging/job/one.json', 'erased');
    rmSync(on('a', 'datasets/.staging/job/two.json'));
    await sendFolder(here, { removes: true });
    await bringFolder(there);
    expect(read('b', 'datasets/.staging/job/one.json')).toBe('erased');
    expect(existsSync(on('b', 'datasets/.staging/job/two.json'))).toBe(false);
    expect(read('b', 'datasets/.staging/job/three.json')).toBe('unsent');
  });

  it('of a step that fails are there for its next attempt on another machine', async () => {
    const work = () => {
      write('a', '.staging/job/checkpoint', 'half-way');
      return Promise.reject(new Error('the worker drains'));
    };
    await expect(inSharedFolder(on('a', '.staging/job'), {}, work)).rejects.toThrow('the worker drains');
    const found = await inSharedFolder(on('b', '.staging/job'), {}, async () => read('b', '.staging/job/checkpoint'));
    expect(found).toBe('half-way');
  });

  it('that were deleted on one machine go on the others when they next look', async () => {
    write('a', 'datasets/ds_2/data.parquet', 'rows');
    await sendFolder(on('a', 'datasets/ds_2'));
    await bringAll(on('b', 'datasets'));
    await dropShared(on('a', 'datasets/ds_2'));
    expect(await keysOf('ds_2')).toEqual([]);
    expect(existsSync(on('b', 'datasets/ds_2/data.parquet'))).toBe(true);
    await refreshCopies(new AbortController().signal);
    expect(existsSync(on('b', 'datasets/ds_2'))).toBe(false);
  });

  it('leave a machine that has keys only sealed, and are open again on the other', async () => {
    useFileKeys([{ id: 'k1', key: Buffer.alloc(32, 7) }]);
    write('a', '.staging/job/rows.csv', 'user_1,secret');
    await sendFolder(on('a', '.staging/job'));
    const [key] = await keysOf('rows.csv');
    expect(String(await s3.get(key!))).not.toContain('secret');
    await bringFolder(on('b', '.staging/job'));
    expect(read('b', '.staging/job/rows.csv')).toBe('user_1,secret');
  });

  it('answer dependency_unavailable while the store is away, without its keys', async () => {
    const root = { root: join(folder, 'a', 'data'), records: join(folder, 'a', 'shared'), bucket: 'mlops', prefix: '' };
    useSharedFiles([root], { ...settings(), endpoint: 'http://127.0.0.1:1' });
    const failed = bringFolder(on('a', 'datasets/ds_3'));
    await expect(failed).rejects.toMatchObject({ code: 'dependency_unavailable' });
    await expect(failed).rejects.not.toThrow(S3_KEYS.secretAccessKey);
  });

  it('are the folder itself where there is no store: nothing is sent, and deleting is deleting', async () => {
    useSharedFiles([], settings());
    write('a', 'datasets/ds_4/data.parquet', 'rows');
    await bringFolder(on('a', 'datasets/ds_4'));
    await sendFolder(on('a', 'datasets/ds_4'));
    expect(await keysOf('ds_4')).toEqual([]);
    await dropShared(on('a', 'datasets/ds_4'));
    expect(existsSync(on('a', 'datasets/ds_4'))).toBe(false);
  });
});

describe('a path that another machine has written down', () => {
  it('is found in the folder of the job here, and stays as it is outside of it', () => {
    expect(pathHere('/here/.staging/extract-1', '/there/data/.staging/extract-1/0000001-a/x.csv')).toBe(
      '/here/.staging/extract-1/0000001-a/x.csv',
    );
    expect(pathHere('/here/.staging/extract-1', '/sources/x.csv')).toBe('/sources/x.csv');
  });
});

describe('the settings of storage', () => {
  const readSettings = (env: Parameters<typeof readStorageSettings>[0]) => {
    const problems: string[] = [];
    const settingsRead = readStorageSettings(env, { stateDir: '/state', absolutePath: (path) => path }, problems);
    return { ...settingsRead, problems };
  };

  it('take a folder as it is, and keep the copies of a bucket in the state folder', () => {
    expect(readSettings({ MODEL_STORAGE_PATH: '/m' })).toMatchObject({
      modelStoragePath: '/m',
      dataStoragePath: '/state/data',
      sharedRoots: [],
    });
    const keys = { S3_ACCESS_KEY_ID: 'k', S3_SECRET_ACCESS_KEY: 's' };
    expect(readSettings({ MODEL_STORAGE_PATH: 's3://bucket/a/b/', DATA_STORAGE_PATH: 's3://bucket', ...keys })).toEqual(
      {
        modelStoragePath: '/state/models',
        dataStoragePath: '/state/data',
        sharedRoots: [
          { root: '/state/models', records: '/state/shared/models', bucket: 'bucket', prefix: 'a/b/models' },
          { root: '/state/data', records: '/state/shared/data', bucket: 'bucket', prefix: 'data' },
        ],
        problems: [],
      },
    );
  });

  it('say that a bucket needs a pair of keys', () => {
    expect(readSettings({ DATA_STORAGE_PATH: 's3://bucket' }).problems).toEqual([
      'DATA_STORAGE_PATH names an S3 store, but S3_ACCESS_KEY_ID or S3_SECRET_ACCESS_KEY is not set: set both.',
    ]);
  });

  it('keep the tables of trainings for all machines, held to their digest at each hit', async () => {
    const told: string[] = [];
    const logger = { info: () => undefined, warn: (_: unknown, text: string) => told.push(text) } as never;
    const cacheOf = (machine: 'a' | 'b', maxBytes = 1000) =>
      new StepCache({ folder: on(machine, '.step-cache'), maxBytes, maxAgeMs: 86_400_000, logger });
    /** Runs the step of a job on a machine. @returns whether it had to build the table */
    const stage = async (machine: 'a' | 'b', jobId: string, table = 'one', maxBytes?: number) => {
      let hasBuilt = false;
      const plan = { jobId, datasetDigest: table } as TrainingPlan;
      const staged = await cacheOf(machine, maxBytes).stageTable(plan, on(machine, `.staging/${jobId}`), async () => {
        hasBuilt = true;
        write(machine, `.staging/${jobId}/table.parquet`, `rows of ${table}`);
        return { rows: 7 };
      });
      expect(staged.rows).toBe(7);
      expect(read(machine, `.staging/${jobId}/table.parquet`)).toBe(`rows of ${table}`);
      return hasBuilt;
    };
    expect(await stage('a', 'j1')).toBe(true);
    expect(await stage('b', 'j2')).toBe(false);
    // Damaged in the store: no machine takes it, and it is built anew.
    const [table] = await keysOf('/table');
    await s3.put(table!, 'rows of tw0');
    expect(await stage('b', 'j3')).toBe(true);
    expect(told).toEqual([expect.stringContaining('damaged')]);
    expect(await stage('a', 'j4')).toBe(false);
    // What its machine has not finished to send is none.
    const manifest = (await keysOf('.step-cache')).find((key) => key.endsWith('manifest.json'));
    await s3.remove(manifest!);
    expect(await stage('b', 'j5')).toBe(true);
    expect(await stage('a', 'j6')).toBe(false);
    // All machines together keep to the size, the longest unused going first.
    expect(await stage('b', 'j7', 'two', 20)).toBe(true);
    expect((await keysOf('.step-cache')).filter((key) => key.endsWith('/table'))).toHaveLength(1);
    expect(await stage('a', 'j8', 'two')).toBe(false);
    // Forgotten on one machine, it is so on all.
    await cacheOf('a').clear();
    expect(await keysOf('.step-cache')).toEqual([]);
    await refreshCopies(new AbortController().signal);
    expect(existsSync(on('b', '.step-cache')) ? readdirSync(on('b', '.step-cache')) : []).toEqual([]);
    expect(await stage('b', 'j9', 'two')).toBe(true);
    expect(told).toHaveLength(1);
  });
});
