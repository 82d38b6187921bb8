import { mkdir } from 'node:fs/promises';
import { isPermanent, ServiceError } from '../../core/errors.js';
import { fetchPart, planSource } from '../sources/fetch-parts.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import { commitDataset } from './commit-dataset.js';
import { snapshotOf, stagingFolder, type IngestionContext, type IngestionPlan } from './ingestion.js';
import { slicePart } from './slice-part.js';
import { collectWritten, listSlices, settleColumns, surveySliceAt, writeSliceAt, type Slicing } from './slice-steps.js';
import { isNote, isOfParts, isOfSlices, SLICE_FILES, type ItemRange, type PartFailure } from './slices.js';
import { createTurns } from './take-turns.js';
import { bringFolder, inSharedFolder } from '../storage/shared-files.js';

export type PartsContext = IngestionContext & { attempt: string; signal: AbortSignal };

/** Looks at the source once. @returns how many parts it has */
export async function planParts(plan: IngestionPlan, context: PartsContext): Promise<{ parts: number }> {
  const folder = stagingFolder(context, plan);
  return inSharedFolder(folder, { bring: isNote }, async () => {
    const { parts } = await planSource(plan, { ...context, folder });
    return { parts: parts.length };
  });
}

/**
 * Brings parts of the source to this machine and cuts them into slices. A part that no further try can read is noted and holds up no other
 * part; what a further try may mend is thrown.
 */
export async function bringParts(
  plan: IngestionPlan,
  range: ItemRange,
  context: PartsContext,
  onProgress: (share: number) => void,
): Promise<void> {
  const folder = stagingFolder(context, plan);
  const isOwn = (name: string) => isOfParts(name, range);
  const shared = { bring: (name: string) => isNote(name) || isOwn(name), send: isOwn };
  await inSharedFolder(folder, shared, () => bringEach(plan, range, { ...context, folder }, onProgress));
}

async function bringEach(
  plan: IngestionPlan,
  range: ItemRange,
  context: PartsContext & { folder: string },
  onProgress: (share: number) => void,
): Promise<void> {
  const { folder } = context;
  const { parts } = await planSource(plan, context);
  for (let at = range.from; at < range.to; at++) {
    const part = parts[at]!;
    if (await readStaged(SLICE_FILES.failure(folder, at))) continue;
    try {
      const onShare = (share: number) => onProgress((at - range.from + share) / (range.to - range.from));
      const brought = await fetchPart(plan, part, { ...context, folder, onProgress: onShare });
      const { maxSourceBytes: mostBytes, ingestSliceBytes: sliceBytes } = context.config;
      await slicePart({ ...brought, label: part.label }, at, { folder, mostBytes, sliceBytes, signal: context.signal });
    } catch (error) {
      if (!(error instanceof ServiceError) || !isPermanent(error.code)) throw error;
      const failure: PartFailure = { part: at, label: part.label, code: error.code, message: error.message };
      await writeStaged(SLICE_FILES.failure(folder, at), JSON.stringify(failure));
    }
  }
}

/** What the next steps have to do. */
export interface SliceWork {
  slices: number;
  needsSurvey: boolean;
}

/**
 * Puts the slices of all parts in order.
 * @throws ServiceError with the name of a part that cannot be read, unless `options.unreadable_parts` is "skip" and others can be
 */
export async function orderSlices(plan: IngestionPlan, parts: number, context: PartsContext): Promise<SliceWork> {
  const slicing = await slicingOf(plan, parts, context);
  const { places, failures, needsSurvey } = await inSharedFolder(slicing.staging, { bring: isNote }, () =>
    listSlices(slicing),
  );
  const [first] = failures;
  if (first && (plan.options.unreadable_parts !== 'skip' || failures.length === parts)) {
    const others = failures.length > 1 ? ` So are ${failures.length - 1} other parts.` : '';
    throw new ServiceError(
      first.code as ServiceError['code'],
      parts === 1 ? first.message : `The part ${first.label} of the source is unreadable: ${first.message}${others}`,
      failures.slice(0, 20).map(({ label, message }) => ({ path: `source.${label}`, message })),
    );
  }
  return { slices: places.length, needsSurvey };
}

/** Looks at the cells of slices. @throws ServiceError as `surveySlice` */
export async function surveySlices(
  plan: IngestionPlan,
  { parts, ...range }: ItemRange & { parts: number },
  context: PartsContext,
  onProgress: (share: number) => void,
): Promise<void> {
  const slicing = await slicingOf(plan, parts, context);
  await inSharedFolder(slicing.staging, { bring: isNote }, () =>
    eachInTurn(range, context, onProgress, (at) => surveySliceAt(at, slicing)),
  );
}

/** Settles names and types of all columns. @throws ServiceError as `settleSchema` */
export async function settleSlices(plan: IngestionPlan, parts: number, context: PartsContext): Promise<void> {
  const slicing = await slicingOf(plan, parts, context);
  await inSharedFolder(slicing.staging, { bring: isNote }, () => settleColumns(slicing));
}

/** Checks and writes slices. @throws ServiceError as `writeSlice` */
export async function writeSlices(
  plan: IngestionPlan,
  { parts, ...range }: ItemRange & { parts: number },
  context: PartsContext,
  onProgress: (share: number) => void,
): Promise<void> {
  const slicing = await slicingOf(plan, parts, context);
  await inSharedFolder(slicing.staging, { bring: isNote }, () =>
    eachInTurn(range, context, onProgress, (at) => writeSliceAt(at, slicing)),
  );
  context.failPoint('ingest:after-slice');
}

/** Makes one dataset of all slices. @throws ServiceError as `commitDataset` */
export async function commitSlices(plan: IngestionPlan, parts: number, context: PartsContext): Promise<void> {
  const slicing = await slicingOf(plan, parts, context);
  await bringFolder(slicing.staging, { only: (name) => isNote(name) || isOfSlices(name) });
  const collected = await collectWritten({ ...(await snapshotOf(plan, context)), ...slicing });
  await commitDataset(collected);
  context.failPoint('ingest:after-snapshot');
}

async function slicingOf(plan: IngestionPlan, parts: number, context: PartsContext): Promise<Slicing> {
  const staging = stagingFolder(context, plan);
  await mkdir(staging, { recursive: true });
  return { ...(await snapshotOf(plan, context)), staging, parts };
}

/** Slices that this process reads at a time, whichever jobs they are of: memory is bounded for the process. */
const turns = createTurns();

async function eachInTurn(
  { from, to }: ItemRange,
  { config, signal }: PartsContext,
  onProgress: (share: number) => void,
  work: (at: number) => Promise<unknown>,
): Promise<void> {
  for (let at = from; at < to; at++) {
    await turns.take(config.ingestConcurrency, signal, () => work(at));
    onProgress((at + 1 - from) / (to - from));
  }
}
