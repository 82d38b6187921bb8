import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { ModelKind } from '../../core/names.js';
import type { ViewVersion } from '../../core/schemas/feature-view.js';
import type { ScoreInput } from '../../core/schemas/prediction.js';
import { readAtRest } from '../encryption/file-keys.js';
import { upgradeManifest } from './upgrade-manifest.js';
import { bringFolder } from '../storage/shared-files.js';

/** A file of the bundle, and the SHA-256 of its content. */
export interface BundleFile {
  file: string;
  sha256: string;
}

/** A request whose answer was written down when the model was made; every load is held to it. */
export interface GoldenCase {
  input: ScoreInput;
  /** The numbers behind the answer, by head. */
  outputs: Record<string, readonly number[]>;
}

export interface SignatureFeature {
  name: string;
  type: string;
  /** The values that were seen in training, for categories. */
  categories?: string[];
}

/** One thing that the model predicts, as callers see it. */
export interface SignatureHead {
  name: string;
  task: string;
  classes?: readonly (string | number | boolean)[];
}

/** `model.json`: everything but the files. Its own SHA-256 is the digest of the version. */
export interface BundleManifest {
  format_version: 2;
  model: string;
  kind: ModelKind;
  algorithm: string;
  code_version: string;
  dataset_digest: string;
  hyperparameters: Record<string, unknown>;
  signature: readonly SignatureFeature[];
  heads: readonly SignatureHead[];
  files: readonly BundleFile[];
  /** What the scorer of the kind reads. */
  body: unknown;
  golden: readonly GoldenCase[];
  /** Views that it learnt from, as they were defined then; absent where there were none. */
  feature_views?: readonly ViewVersion[];
  /** Of a version of the sandbox that drills have made bad on purpose. */
  fault?: InjectedFault;
}

/** What is wrong with a version that a drill has made. */
export type InjectedFault = { kind: 'slow'; milliseconds: number } | { kind: 'error' };

export const BUNDLE_MANIFEST = 'model.json';

/** A bundle in memory, verified. */
export interface ModelBundle {
  digest: string;
  manifest: BundleManifest;
  files: ReadonlyMap<string, Uint8Array>;
  bytes: number;
}

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** The folder of a version; named by content, so that it can never hold another model. */
export function bundleFolder(modelStoragePath: string, model: string, digest: string): string {
  return join(modelStoragePath, model, digest);
}

/**
 * Loads a stored model and checks every byte of it: digests, checksums, bounds. Nothing in the files is ever executed.
 * @throws ServiceError `artifact_corrupt` that names the file; `model_too_large`, before anything but the manifest was read.
 */
export async function loadModelBundle(folder: string, digest: string): Promise<ModelBundle> {
  const manifest = await loadManifest(folder, digest);
  await refuseTooLarge(folder, manifest);
  const files = new Map<string, Uint8Array>();
  let bytes = (await stat(join(folder, BUNDLE_MANIFEST))).size;
  for (const { file, sha256: expected } of manifest.files) {
    const stored = await readChecked(folder, file, expected);
    bytes += stored.byteLength;
    files.set(file, stored);
  }
  return { digest, manifest, files, bytes };
}

/** Reads what a bundle says of itself, and nothing else. @throws ServiceError `artifact_corrupt` that names the file */
export async function loadManifest(folder: string, digest: string): Promise<BundleManifest> {
  await bringBundle(folder);
  const text = await readChecked(folder, BUNDLE_MANIFEST, digest);
  const manifest = upgradeManifest(JSON.parse(text.toString('utf8')) as BundleManifest);
  if (manifest.format_version === 2) {
    refuseElsewhere(folder, manifest);
    return manifest;
  }
  throw new ServiceError(
    'artifact_corrupt',
    `${join(folder, BUNDLE_MANIFEST)} has the format ${String(manifest.format_version)}; this release reads 1 and 2.`,
  );
}

/** What is here and was whole once is served also while the store is away: its digests tell whether it is right. */
export async function bringBundle(folder: string): Promise<void> {
  await bringFolder(folder).catch(async (error: unknown) => {
    await stat(join(folder, BUNDLE_MANIFEST)).catch(() => {
      throw error;
    });
  });
}

/** A bundle may name what lies beside its manifest, and nothing else on the disk. */
function refuseElsewhere(folder: string, { files }: BundleManifest): void {
  const names = Array.isArray(files) ? files.map((entry) => (entry as Partial<BundleFile> | null)?.file) : [undefined];
  for (const name of names)
    if (typeof name !== 'string' || name !== basename(name) || /^\.{0,2}$|[\\\0]/.test(name))
      throw new ServiceError(
        'artifact_corrupt',
        `${join(folder, BUNDLE_MANIFEST)} names the file ${JSON.stringify(name)}, which is none beside it.`,
      );
}

/** While it is decoded, a model is in memory as it is on disk and as it answers, with some room for the way. */
const MEMORY_A_BYTE = 3;

/** Loading a model that does not fit would end the process, and with it all that it serves. */
async function refuseTooLarge(folder: string, { model, files }: BundleManifest): Promise<void> {
  let bytes = 0;
  for (const { file } of files) bytes += (await stat(join(folder, file)).catch(() => undefined))?.size ?? 0;
  const available = process.availableMemory();
  if (bytes * MEMORY_A_BYTE <= available) return;
  const inMib = (value: number) => `${Math.ceil(value / 2 ** 20)} MiB`;
  throw new ServiceError(
    'model_too_large',
    `${model} takes ${inMib(bytes)} on disk and about ${inMib(bytes * MEMORY_A_BYTE)} of memory to load; ${inMib(available)} are free. Train a smaller one, or serve it on a larger machine.`,
  );
}

/**
 * Decodes one file of a bundle.
 * @throws ServiceError `artifact_corrupt` that names the file.
 */
export function decodeFile<T>(bundle: ModelBundle, file: string, decode: (bytes: Uint8Array) => T): T {
  const bytes = bundle.files.get(file);
  if (!bytes) throw new ServiceError('artifact_corrupt', `${bundle.manifest.model}: the bundle lacks ${file}.`);
  try {
    return decode(bytes);
  } catch (error) {
    throw new ServiceError('artifact_corrupt', `${bundle.manifest.model}, ${file}: ${(error as Error).message}`);
  }
}

/** Reads a file and holds it to its digest. */
async function readChecked(folder: string, file: string, expected: string): Promise<Buffer> {
  const path = join(folder, file);
  const bytes = await readAtRest(path).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof ServiceError) throw error;
    throw new ServiceError('artifact_corrupt', `${path} cannot be read (${error.code}).`);
  });
  const actual = sha256(bytes);
  if (actual !== expected)
    throw new ServiceError(
      'artifact_corrupt',
      `${path} has the digest ${actual.slice(0, 12)}… instead of ${expected.slice(0, 12)}…: the file was changed or cut off.`,
    );
  return bytes;
}
