import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import { withDuckDb } from '../duckdb.js';
import { readStagedJson } from '../storage/staged-file.js';
import { copySlice } from './copy-slice.js';
import { SLICE_FILES, type BadRecord, type PartLayout, type Slice, type SlicePlace } from './slices.js';

/** Memory of DuckDB for one slice, which it reads with one thread. */
const SLICE_MEMORY_MIB = 160;
/** DuckDB holds a block for each column: what a table of more columns than this gets beyond. */
const USUAL_COLUMNS = 128;
const MIB_A_COLUMN = 0.5;

export interface SliceInput {
  /** The staging folder of the job. */
  folder: string;
  place: SlicePlace;
  layout: PartLayout;
  /** Columns that are read, where the layout does not tell. */
  columns?: number;
  /** Tells one attempt's half-written files from another's. */
  attempt: string;
  signal?: AbortSignal;
}

export interface OpenSlice {
  layout: PartLayout;
  slice: Slice;
  /** Records that are none, as they were found when the part was cut. */
  bad: readonly BadRecord[];
  /** What DuckDB reads: a copy of the slice, or the Parquet file. */
  file: string;
}

/**
 * Makes a slice readable for DuckDB, for the time of `work`. Files of text are copied, so that DuckDB sees neither what is no record nor
 * what belongs to other slices.
 * @throws ServiceError `source_unreadable` with what DuckDB says
 */
export async function withSlice<T>(
  { folder, place, layout, columns, attempt, signal }: SliceInput,
  work: (connection: DuckDBConnection, open: OpenSlice) => Promise<T>,
): Promise<T> {
  const slice = layout.slices[place.slice]!;
  const bad =
    slice.badRecords > 0 ? await readStagedJson<BadRecord[]>(SLICE_FILES.bad(folder, place.part, place.slice)) : [];
  const copies = join(folder, 'copies');
  const isText = layout.format !== 'parquet';
  const file = isText ? join(copies, `${place.part}-${place.slice}-${attempt}.txt`) : layout.path;
  try {
    if (isText) {
      await mkdir(copies, { recursive: true });
      await copySlice(layout, slice, bad, file, signal);
    }
    return await withDuckDb(
      (connection) => {
        signal?.addEventListener('abort', () => connection.interrupt(), { once: true });
        return work(connection, { layout, slice, bad, file });
      },
      { memoryMib: memoryFor(Math.max(columns ?? 0, layout.names.length)), threads: 1 },
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw asSourceError(error, layout, file);
  } finally {
    if (isText) await rm(file, { force: true });
  }
}

const memoryFor = (columns: number) =>
  Math.ceil(SLICE_MEMORY_MIB + MIB_A_COLUMN * Math.max(0, columns - USUAL_COLUMNS));

/** What DuckDB says of the content is for the caller; where the file lies on this machine is nobody's business. */
function asSourceError(error: unknown, layout: PartLayout, file: string): unknown {
  if (error instanceof ServiceError || !(error instanceof Error)) return error;
  const said = (error.message.split('\n', 1)[0] ?? '')
    .replaceAll(file, layout.label)
    .replaceAll(layout.path, layout.label);
  // `Invalid Error` is what its readers of Thrift and of packed pages throw at a damaged Parquet file.
  const isOfContent = /^(Invalid Input|Conversion|Out of Range) Error/i.test(said);
  if (!isOfContent && !(layout.format === 'parquet' && said.startsWith('Invalid Error'))) return error;
  return new ServiceError('source_unreadable', `${layout.label} could not be read as ${layout.format}: ${said}`);
}
