import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { ScoreInput } from '../../core/schemas/prediction.js';
import { readAtRest } from '../encryption/file-keys.js';
import { writeStaged } from '../storage/staged-file.js';
import { sha256 } from './model-bundle.js';

/** A row that no fit and no choice of the version has seen, as a request, with what turned out to be true. */
export interface HoldoutCase {
  /** What the row belongs to, as a number of 48 bits: see `unitOf`. */
  unit: number;
  input: ScoreInput;
  /** By head, as feedback would tell it. */
  outcome: Record<string, string | number | boolean>;
}

/** What a version has never seen, and what it has learnt from: together they tell which rows are new to two versions. */
export interface FrozenHoldout {
  /** `entity`: all rows of an entity lie on one side. `row`: each row is a unit of its own. */
  unit: 'entity' | 'row';
  /** Names that the numbers of rows follow from; rows of versions with other columns cannot be told apart. */
  columns: readonly string[];
  cases: readonly HoldoutCase[];
  /** The units that were learnt from, ascending; of very many only those up to `trainedUntil`. */
  trainedUnits: Float64Array;
  /** Up to which number `trainedUnits` is complete; null where it has all. */
  trainedUntil: number | null;
}

/** What the registry keeps of it, so that files that were changed are found. */
export interface HoldoutRecord {
  rows: number;
  unit: FrozenHoldout['unit'];
  columns: readonly string[];
  trained_until: number | null;
  /** Of the numbers of the rows and their truths: the same for versions that were judged on the same rows. */
  rows_sha256: string;
  cases_sha256: string;
  trained_sha256: string;
}

/** Files of a version beside those that it answers from. */
export const HOLDOUT_FILES = { cases: 'holdout.ndjson.gz', trained: 'trained-units.bin' } as const;

/** The number of an entity or of a row's content: the same in every version. 48 bits are exact as a number. */
export function unitOf(content: string): number {
  return createHash('sha256').update(content).digest().readUIntBE(0, 6);
}

/** Writes both files into the folder of a run. Repeatable. */
export async function writeHoldout(folder: string, holdout: FrozenHoldout): Promise<HoldoutRecord> {
  const { unit, columns, cases, trainedUnits, trainedUntil } = holdout;
  const lines = cases.map((one) => `${JSON.stringify(one)}\n`).join('');
  const packed = await promisify(gzip)(lines);
  const trained = new Uint8Array(trainedUnits.buffer, trainedUnits.byteOffset, trainedUnits.byteLength);
  await writeStaged(join(folder, HOLDOUT_FILES.cases), packed);
  await writeStaged(join(folder, HOLDOUT_FILES.trained), trained);
  return {
    rows: cases.length,
    unit,
    columns,
    trained_until: trainedUntil,
    rows_sha256: sha256(JSON.stringify(cases.map(({ unit: number, outcome }) => [number, outcome]))),
    cases_sha256: sha256(packed),
    trained_sha256: sha256(trained),
  };
}

/** The rows that a version was never fitted on; undefined where the file is not what was registered. */
export async function readHoldoutCases(folder: string, record: HoldoutRecord): Promise<HoldoutCase[] | undefined> {
  const packed = await readUnchanged(join(folder, HOLDOUT_FILES.cases), record.cases_sha256);
  if (!packed) return undefined;
  const lines = (await promisify(gunzip)(packed)).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HoldoutCase);
}

/** Whether a version learnt from a unit: true, false, or undefined where that was not kept. */
export async function readTrainedUnits(
  folder: string,
  record: HoldoutRecord,
): Promise<((unit: number) => boolean | undefined) | undefined> {
  const bytes = await readUnchanged(join(folder, HOLDOUT_FILES.trained), record.trained_sha256);
  if (!bytes) return undefined;
  const units = new Set(new Float64Array(new Uint8Array(bytes).buffer));
  const until = record.trained_until ?? Infinity;
  return (unit) => (unit > until ? undefined : units.has(unit));
}

async function readUnchanged(path: string, digest: string): Promise<Buffer | undefined> {
  const bytes = await readAtRest(path).catch(() => undefined);
  return bytes && sha256(bytes) === digest ? bytes : undefined;
}
