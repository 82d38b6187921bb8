import { relative } from 'node:path';
import type { DataType } from '../../core/schemas/model-config.js';
import { readStaged, readStagedJson, writeStaged } from '../storage/staged-file.js';
import type { CommitInput } from './commit-dataset.js';
import { needsSurvey, settleSchema, type SettledSchema, type SliceSurvey } from './settle-schema.js';
import { SLICE_FILES, type PartFailure, type PartLayout, type SlicePlace } from './slices.js';
import { surveySlice } from './survey-slice.js';
import { writeSlice, type WrittenSlice } from './write-slice.js';
import { pathHere } from '../storage/path-here.js';
import { bringFolder } from '../storage/shared-files.js';

/** What the steps of one ingestion share. All that they leave for each other is in the staging folder, so any worker can go on. */
export interface Slicing {
  staging: string;
  /** Parts of the source. */
  parts: number;
  dataType: string;
  expectations?: DataType;
  onlyColumns?: readonly string[];
  attempt: string;
  signal?: AbortSignal;
}

/** All slices of a source in the order of their rows, with the parts that could not be read. */
export interface SliceList {
  places: SlicePlace[];
  failures: PartFailure[];
  needsSurvey: boolean;
}

/** Puts the slices of all parts in order, once all parts were cut. */
export async function listSlices(input: Slicing): Promise<SliceList> {
  const file = SLICE_FILES.index(input.staging);
  const done = await readStaged(file);
  if (done) return JSON.parse(done.toString('utf8')) as SliceList;
  const layouts = await readLayouts(input);
  const failures: PartFailure[] = [];
  const places: SlicePlace[] = [];
  let recordsBefore = 0;
  for (const [part, layout] of layouts.entries()) {
    if (!layout) failures.push(await readStagedJson<PartFailure>(SLICE_FILES.failure(input.staging, part)));
    for (const slice of layout?.slices.keys() ?? []) places.push({ part, slice, recordsBefore });
    recordsBefore += layout?.records ?? 0;
  }
  const list = { places, failures, needsSurvey: needsSurvey({ ...input, layouts: layouts.filter(isThere) }) };
  await writeStaged(file, JSON.stringify(list));
  return list;
}

const isThere = (layout: PartLayout | undefined): layout is PartLayout => layout !== undefined;

async function readLayouts({ staging, parts }: Slicing): Promise<(PartLayout | undefined)[]> {
  const layouts = [];
  for (let part = 0; part < parts; part++) {
    const content = await readStaged(SLICE_FILES.layout(staging, part));
    layouts.push(content && layoutHere(staging, JSON.parse(content.toString('utf8')) as PartLayout));
  }
  return layouts;
}

async function openPlace(at: number, { staging }: Slicing): Promise<{ place: SlicePlace; layout: PartLayout }> {
  const { places } = await readStagedJson<SliceList>(SLICE_FILES.index(staging));
  const place = places[at]!;
  const layout = layoutHere(staging, await readStagedJson<PartLayout>(SLICE_FILES.layout(staging, place.part)));
  const name = relative(staging, layout.path);
  await bringFolder(staging, { only: (one) => one === name });
  return { place, layout };
}

/** The part may have been cut on another machine. */
const layoutHere = (staging: string, layout: PartLayout): PartLayout => ({
  ...layout,
  path: pathHere(staging, layout.path),
});

/** Looks at the cells of one slice, once. @throws ServiceError as `surveySlice` */
export async function surveySliceAt(at: number, input: Slicing): Promise<void> {
  const file = SLICE_FILES.survey(input.staging, at);
  if (await readStaged(file)) return;
  const survey = await surveySlice({ ...input, folder: input.staging, ...(await openPlace(at, input)) });
  await writeStaged(file, JSON.stringify(survey));
}

/**
 * Settles the columns of the dataset, once, for all slices: expectations that change meanwhile change nothing.
 * @throws ServiceError as `settleSchema`
 */
export async function settleColumns(input: Slicing): Promise<SettledSchema> {
  const file = SLICE_FILES.schema(input.staging);
  const done = await readStaged(file);
  if (done) return JSON.parse(done.toString('utf8')) as SettledSchema;
  const list = await listSlices(input);
  const surveys: SliceSurvey[] = [];
  if (list.needsSurvey) {
    for (const at of list.places.keys())
      surveys.push(await readStagedJson<SliceSurvey>(SLICE_FILES.survey(input.staging, at)));
  }
  const layouts = (await readLayouts(input)).filter(isThere);
  const schema = settleSchema({ ...input, layouts, surveys });
  await writeStaged(file, JSON.stringify(schema));
  return schema;
}

/** Checks and writes one slice, once. @throws ServiceError as `writeSlice` */
export async function writeSliceAt(at: number, input: Slicing): Promise<WrittenSlice> {
  const schema = await readStagedJson<SettledSchema>(SLICE_FILES.schema(input.staging));
  return writeSlice({ ...input, folder: input.staging, at, schema, ...(await openPlace(at, input)) });
}

/** What became of all slices, as `commitDataset` needs it. */
export async function collectWritten<Input extends Slicing>(
  input: Input,
): Promise<Input & Pick<CommitInput, 'layouts' | 'places' | 'written' | 'schema' | 'failures'>> {
  const { places, failures } = await listSlices(input);
  const written: WrittenSlice[] = [];
  for (const at of places.keys())
    written.push(await readStagedJson<WrittenSlice>(SLICE_FILES.written(input.staging, at)));
  const schema = await readStagedJson<SettledSchema>(SLICE_FILES.schema(input.staging));
  return { ...input, layouts: await readLayouts(input), places, written, schema, failures };
}
