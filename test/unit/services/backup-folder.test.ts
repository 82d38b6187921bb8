import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  readBackup,
  refuseFilled,
  sealBackup,
  writeChecked,
  type BackupManifest,
  type Digests,
} from '../../../services/backup/backup-folder.js';
import { copyReferred } from '../../../services/backup/copy-files.js';
import { refuseNewerBackup } from '../../../services/backup/load-database.js';
import { loadConfig } from '../../../services/config.js';
import { readMigrations } from '../../../services/database/apply-migrations.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
let work: string;
let folder: string;

const manifest = (parts: Partial<BackupManifest> = {}): BackupManifest => ({
  format_version: 1,
  created_at: '2026-11-28T12:00:00.000Z',
  release: '0.1.0',
  migrations: [],
  tables: [],
  partitions: [],
  sequences: [],
  files: [{ path: 'data/datasets/ds_1/data.parquet', bytes: 4 }],
  schedules: [],
  problems: [],
  ...parts,
});

async function makeBackup(parts: Partial<BackupManifest> = {}): Promise<string> {
  const path = 'data/datasets/ds_1/data.parquet';
  writeFileSync(join(work, 'source'), 'rows');
  const { sha256: digest } = await writeChecked(join(work, 'source'), join(folder, path));
  await sealBackup(folder, manifest(parts), new Map([[path, digest]]));
  return join(folder, path);
}

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'mlops-backup-folder-'));
  folder = join(work, 'backup');
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

describe('a backup folder', () => {
  it('is read as it was written, with a digest for every file', async () => {
    await makeBackup();
    const { digests, manifest: read } = await readBackup(folder);
    expect(digests.get('data/datasets/ds_1/data.parquet')).toBe(sha256('rows'));
    expect([...digests.keys()]).toContain('backup.json');
    expect(read).toEqual(manifest());
  });

  it('is no backup before its digests are written, and says so', async () => {
    mkdirSync(folder);
    await expect(readBackup(folder)).rejects.toThrow(/holds no complete backup/);
  });

  it('names the file that was changed, and the file that is missing', async () => {
    const file = await makeBackup();
    appendFileSync(file, 'x');
    await expect(readBackup(folder)).rejects.toThrow(/ds_1\/data\.parquet was changed or cut off since/);
    rmSync(file);
    await expect(readBackup(folder)).rejects.toThrow(/ds_1\/data\.parquet cannot be read \(ENOENT\)/);
  });

  it('never names a file outside of itself', async () => {
    await makeBackup();
    appendFileSync(join(folder, 'SHA256SUMS'), `${sha256('x')}  data/../../../etc/passwd\n`);
    await expect(readBackup(folder)).rejects.toThrow(/has a line that is none/);
  });

  it('of another format names the release that reads it', async () => {
    await makeBackup({ format_version: 2 as never, release: '9.9.9' });
    await expect(readBackup(folder)).rejects.toThrow(/has the format 2.*9\.9\.9/);
  });

  it('is written into an empty or a new folder only', async () => {
    await refuseFilled(folder);
    await makeBackup();
    await expect(refuseFilled(folder)).rejects.toThrow(/holds a backup already/);
    rmSync(join(folder, 'SHA256SUMS'));
    await expect(refuseFilled(folder)).rejects.toThrow(/perhaps of a backup that was cut off/);
  });

  it('of a newer release is refused with the migration that is missing here', async () => {
    const known = await readMigrations();
    await refuseNewerBackup(manifest({ migrations: known }));
    const unknown = [...known, { name: '29990101000000_future', checksum: 'x' }];
    await expect(refuseNewerBackup(manifest({ migrations: unknown }))).rejects.toThrow(
      /29990101000000_future, which is not in this release/,
    );
    const other = [{ ...known[0]!, checksum: 'x' }];
    await expect(refuseNewerBackup(manifest({ migrations: other }))).rejects.toThrow(/has another content here/);
  });
});

describe('the files of a backup', () => {
  const config = () =>
    loadConfig({
      DATABASE_URL: 'postgresql://example/example',
      MODEL_STORAGE_PATH: join(work, 'own-models'),
      DATA_STORAGE_PATH: join(work, 'own-data'),
    });
  const put = (path: string, content: string) => {
    mkdirSync(join(work, path, '..'), { recursive: true });
    writeFileSync(join(work, path), content);
  };

  it('are those that the rows name and what lies beside them, without half-done work', async () => {
    const model = JSON.stringify({
      format_version: 2,
      model: 'm',
      files: [{ file: 'trees.bin', sha256: sha256('t') }],
    });
    put(`own-models/m/${sha256(model)}/model.json`, model);
    put(`own-models/m/${sha256(model)}/trees.bin`, 't');
    put(`own-models/m/${sha256('other')}/model.json`, 'of no row');
    put('own-models/.staging/job/x', 'half-done');
    put('own-data/datasets/ds_1/data.parquet', 'rows');
    put('own-data/datasets/ds_1/manifest.json', '{}');
    put('own-data/datasets/ds_2/data.parquet', 'of no row');
    put('own-data/datasets/.predictions/m/2026-11-01.parquet', 'a day');
    put('own-data/datasets/.predictions/m/2026-11-02.parquet.7.partial', 'half a day');
    put('own-data/datasets/.staging/x', 'half-done');
    put('own-data/uploads/upl_1.csv', 'sent');
    const digests: Digests = new Map();
    const { files, unlike } = await copyReferred(
      {
        datasets: [{ id: 'ds_1', digest: sha256('rows') }],
        versions: [{ model: 'm', digest: sha256(model) }],
        uploads: [{ id: 'upl_1', format: 'csv', compression: 'none', digest: sha256('sent') }],
      },
      { config: config(), folder },
      digests,
    );
    expect(unlike).toEqual([]);
    expect(files.map(({ path }) => path).sort()).toEqual([
      'data/datasets/.predictions/m/2026-11-01.parquet',
      'data/datasets/ds_1/data.parquet',
      'data/datasets/ds_1/manifest.json',
      'data/uploads/upl_1.csv',
      `models/m/${sha256(model)}/model.json`,
      `models/m/${sha256(model)}/trees.bin`,
    ]);
    expect(files.every(({ path }) => existsSync(join(folder, path)))).toBe(true);
  });

  it('that went or changed after the database was copied are told', async () => {
    put('own-data/datasets/ds_1/data.parquet', 'rows that an erasure has written');
    const { unlike } = await copyReferred(
      {
        datasets: [
          { id: 'ds_1', digest: sha256('rows') },
          { id: 'ds_gone', digest: sha256('gone') },
        ],
        versions: [{ model: 'm', digest: sha256('gone') }],
        uploads: [{ id: 'upl_1', format: 'csv', compression: 'none', digest: sha256('gone') }],
      },
      { config: config(), folder },
      new Map(),
    );
    expect(unlike).toEqual(['dataset ds_1', 'dataset ds_gone', `model m/${sha256('gone')}`, 'upload upl_1']);
  });
});
