import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { ModelKind } from '../../core/names.js';
import type { Calibration } from '../../ml/calibrate/calibration.js';
import { decodeForest } from '../../ml/ensemble/forest-format.js';
import type { RandomForest } from '../../ml/ensemble/random-forest.js';
import type { LabelValue } from '../../ml/preprocess/label-encoder.js';
import type { TableEncoder } from '../../ml/preprocess/table-encoder.js';

/** One head as it is stored: which file, how to read its numbers. */
export interface BundleHead {
  name: string;
  task: 'binary' | 'multiclass' | 'regression';
  /** As they are answered; empty for a regression. */
  classes: LabelValue[];
  file: string;
  sha256: string;
  calibration?: Calibration;
  /** A regression's interval: the answer plus and minus `halfWidth` covers the truth with probability `level`. */
  interval?: { level: number; halfWidth: number };
}

/** A row whose answer was written down when the model was made; every load is held to it. */
export interface GoldenRow {
  features: Record<string, string | number | boolean | null>;
  /** Per head: class probabilities, or one number. */
  outputs: Record<string, number[]>;
}

export interface SignatureFeature {
  name: string;
  type: string;
  /** The values that were seen in training, for categories. */
  categories?: string[];
}

/** `model.json`: everything but the trees. Its own SHA-256 is the digest of the version. */
export interface BundleManifest {
  format_version: 1;
  model: string;
  kind: ModelKind;
  algorithm: string;
  code_version: string;
  dataset_digest: string;
  hyperparameters: Record<string, unknown>;
  signature: SignatureFeature[];
  encoder: TableEncoder;
  heads: BundleHead[];
  golden: GoldenRow[];
}

export const BUNDLE_MANIFEST = 'model.json';

/** A bundle in memory, verified. */
export interface ModelBundle {
  digest: string;
  manifest: BundleManifest;
  forests: ReadonlyMap<string, RandomForest>;
  bytes: number;
}

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** The folder of a version; named by content, so that it can never hold another model. */
export function bundleFolder(modelStoragePath: string, model: string, digest: string): string {
  return join(modelStoragePath, model, digest);
}

/**
 * Loads a stored model and checks every byte of it: digests, checksums, bounds. Nothing in the files is ever executed.
 * @throws ServiceError `artifact_corrupt` that names the file.
 */
export async function loadModelBundle(folder: string, digest: string): Promise<ModelBundle> {
  const text = await readChecked(folder, BUNDLE_MANIFEST, digest);
  const manifest = JSON.parse(text.toString('utf8')) as BundleManifest;
  if (manifest.format_version !== 1) {
    throw new ServiceError(
      'artifact_corrupt',
      `${join(folder, BUNDLE_MANIFEST)} has the format ${String(manifest.format_version)}; this release reads 1.`,
    );
  }
  const forests = new Map<string, RandomForest>();
  let bytes = text.byteLength;
  for (const head of manifest.heads) {
    const stored = await readChecked(folder, head.file, head.sha256);
    bytes += stored.byteLength;
    try {
      forests.set(head.name, decodeForest(stored));
    } catch (error) {
      throw new ServiceError('artifact_corrupt', `${join(folder, head.file)}: ${(error as Error).message}`);
    }
  }
  return { digest, manifest, forests, bytes };
}

async function readChecked(folder: string, file: string, expected: string): Promise<Buffer> {
  const path = join(folder, file);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
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
