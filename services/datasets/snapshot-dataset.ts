import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataType } from '../../core/schemas/model-config.js';
import { commitDataset, findFinished } from './commit-dataset.js';
import type { DatasetManifest } from './manifest.js';
import { collectWritten, listSlices, settleColumns, surveySliceAt, writeSliceAt, type Slicing } from './slice-steps.js';
import { slicePart, type RawPart } from './slice-part.js';

export interface SnapshotInput {
  datasetId: string;
  dataType: string;
  /** Without credentials: it is stored and shown. */
  sourceLabel: string;
  /** All of one format. */
  raw: readonly RawPart[];
  onlyColumns?: readonly string[];
  validation: 'quarantine' | 'fail';
  expectations?: DataType;
  /** The folder of all datasets. */
  folder: string;
  /** Tells one attempt's half-written files from another's. */
  attempt: string;
  mostBytes: number;
  sliceBytes?: number;
  signal?: AbortSignal;
}

/**
 * Writes one typed, checked, immutable snapshot in this process, slice after slice: what the steps of an ingestion do for a large source,
 * for one that is small. Bad rows go to quarantine with every reason. This can be repeated after any crash.
 * @throws ServiceError `source_unreadable`, or `dataset_rejected` as `commitDataset` says
 */
export async function snapshotDataset(
  input: SnapshotInput,
  onProgress: (share: number) => void,
): Promise<DatasetManifest> {
  const finished = await findFinished(join(input.folder, input.datasetId));
  if (finished) return finished;
  const staging = join(input.folder, '.staging', `${input.datasetId}-${input.attempt}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  try {
    for (const [at, part] of input.raw.entries()) await slicePart(part, at, { ...input, folder: staging });
    return await snapshotSlices({ ...input, staging, parts: input.raw.length }, onProgress);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The steps after the parts were cut, one after the other. */
export async function snapshotSlices(
  input: Omit<SnapshotInput, 'raw' | 'mostBytes'> & Slicing,
  onProgress: (share: number) => void,
): Promise<DatasetManifest> {
  const { places, needsSurvey } = await listSlices(input);
  const steps = places.length * (needsSurvey ? 2 : 1) + 1;
  let done = 0;
  const step = () => onProgress(++done / steps);
  if (needsSurvey) {
    for (const at of places.keys()) {
      await surveySliceAt(at, input);
      step();
    }
  }
  await settleColumns(input);
  for (const at of places.keys()) {
    await writeSliceAt(at, input);
    step();
  }
  return commitDataset(await collectWritten(input));
}
