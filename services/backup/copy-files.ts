import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleFolder, BUNDLE_MANIFEST, loadManifest } from '../artifacts/model-bundle.js';
import type { Config } from '../config.js';
import { digestOfDataset } from '../datasets/commit-dataset.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { sha256AtRest } from '../encryption/file-keys.js';
import { keyIdOfFile } from '../encryption/sealed-file.js';
import { uploadPath } from '../uploads/upload-store.js';
import { writeChecked, type BackupManifest, type Digests } from './backup-folder.js';
import type { ReferredFiles } from './dump-database.js';
import { bringAll } from '../storage/shared-files.js';

/** Of a file that is not there any more. */
const isGone = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

export interface CopiedFiles {
  files: BackupManifest['files'];
  /** What is not as its row of the snapshot says: deleted or changed meanwhile, or damaged. */
  unlike: string[];
}

/** Where the two folders of the service are in a backup. */
export const storageOf = (folder: string) => ({
  modelStoragePath: join(folder, 'models'),
  dataStoragePath: join(folder, 'data'),
});

/**
 * Copies what the rows of a snapshot refer to, and what lies beside it: days of the prediction log that only files still have, and rows of
 * reports. Files are written once and get their names when they are whole, so each copy is one state of its file.
 */
export async function copyReferred(
  referred: ReferredFiles,
  { config, folder }: { config: Config; folder: string },
  digests: Digests,
): Promise<CopiedFiles> {
  await Promise.all([bringAll(config.modelStoragePath), bringAll(config.dataStoragePath)]);
  const to = storageOf(folder);
  const files: BackupManifest['files'] = [];
  // What the rows tell are digests of contents, whatever key a file is sealed with.
  const contents: Digests = new Map();
  const copy = async (from: string, path: string) => {
    try {
      const { sha256, bytes } = await writeChecked(from, join(folder, path));
      digests.set(path, sha256);
      contents.set(path, (await keyIdOfFile(from)) === undefined ? sha256 : await sha256AtRest(join(folder, path)));
      files.push({ path, bytes });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  };
  const copyFolder = async (from: string, path: string) => {
    for (const name of await filesBelow(from)) await copy(join(from, name), `${path}/${name}`);
  };
  for (const { model, digest } of referred.versions)
    await copyFolder(bundleFolder(config.modelStoragePath, model, digest), `models/${model}/${digest}`);
  const datasets = join(config.dataStoragePath, 'datasets');
  const beside = (await entriesOf(datasets)).filter((name) => name.startsWith('.') && name !== '.staging');
  for (const name of [...referred.datasets.map(({ id }) => id), ...beside])
    await copyFolder(join(datasets, name), `data/datasets/${name}`);
  for (const upload of referred.uploads) {
    const from = uploadPath(config, upload);
    await copy(from, `data/uploads/${from.slice(from.lastIndexOf('/') + 1)}`);
  }
  return { files, unlike: await compare(referred, { ...config, ...to }, contents) };
}

/** Holds the copies to what the snapshot says of them. */
async function compare(referred: ReferredFiles, copied: Config, digests: Digests): Promise<string[]> {
  const unlike: string[] = [];
  const digestOf = (path: string) => digests.get(path.slice(copied.dataStoragePath.length - 'data'.length));
  for (const { id, digest } of referred.datasets) {
    const found = (await datasetFiles(join(copied.dataStoragePath, 'datasets'), id)).map(digestOf);
    if (digestOfDataset(found.map((one) => one ?? '')) !== digest) unlike.push(`dataset ${id}`);
  }
  for (const { model, digest } of referred.versions)
    if (!(await isWholeBundle(copied.modelStoragePath, model, digest, digests)))
      unlike.push(`model ${model}/${digest}`);
  for (const upload of referred.uploads)
    if (digestOf(uploadPath(copied, upload)) !== upload.digest) unlike.push(`upload ${upload.id}`);
  return unlike;
}

async function isWholeBundle(models: string, model: string, digest: string, digests: Digests): Promise<boolean> {
  const path = `models/${model}/${digest}`;
  if (digests.get(`${path}/${BUNDLE_MANIFEST}`) !== digest) return false;
  const manifest = await loadManifest(bundleFolder(models, model, digest), digest).catch(() => undefined);
  return manifest?.files.every(({ file, sha256 }) => digests.get(`${path}/${file}`) === sha256) ?? false;
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Finished files, as paths below the folder with `/`. */
export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.partial'))
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
