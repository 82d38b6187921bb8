import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import type { FetchedPart } from '../sources/connector.js';
import { readStagedJson, writeStaged } from '../storage/staged-file.js';
import { readCsvHeader, refuseTooManyColumns, textStart } from './csv-header.js';
import { createCsvFinder, createJsonFinder, findLine, type FindRecord } from './find-record.js';
import { countLines, scanRecords, type RecordSink } from './scan-records.js';
import { SLICE_BYTES, SLICE_FILES, type BadRecord, type PartLayout, type Slice, type SliceFormat } from './slices.js';
import { unpackText } from './unpack-text.js';

/** Bad records of one slice, at most: a slice with more ends early, so that the list stays small. */
const MOST_BAD_RECORDS = 20_000;
const LF = 10;
/** With more bad records than this, and more than half of all, the source is the wrong one. */
const BAD_TO_GIVE_UP = 1_000_000;

/** A part as it lies on this machine; `label` is for people. */
export type RawPart = Omit<FetchedPart, 'bytes'> & { label: string };

export interface SliceContext {
  /** The staging folder of the job. */
  folder: string;
  /** Bytes that a part may have unpacked. */
  mostBytes: number;
  sliceBytes?: number;
  signal?: AbortSignal;
}

/**
 * Cuts a part into slices at the boundaries of its records, and sets aside what is no record at all. Nothing is copied but what has to be
 * unpacked. What an earlier attempt has finished is adopted.
 * @param at the place of the part within the source, from 0
 * @throws ServiceError `source_unreadable`
 */
export async function slicePart(part: RawPart, at: number, context: SliceContext): Promise<void> {
  const done = await readStagedJson<PartLayout>(SLICE_FILES.layout(context.folder, at)).catch(() => undefined);
  if (done) return;
  const layout = part.format === 'parquet' ? await sliceParquet(part, context) : await sliceText(part, at, context);
  await writeStaged(SLICE_FILES.layout(context.folder, at), JSON.stringify(layout));
}

async function sliceText(part: RawPart, at: number, context: SliceContext): Promise<PartLayout> {
  const path = await unpackText({
    path: part.path,
    compression: part.compression,
    into: join(context.folder, `unpacked-${at}.txt`),
    mostBytes: context.mostBytes,
    signal: context.signal,
  });
  const file = await open(path);
  try {
    const bytes = (await file.stat()).size;
    const format: SliceFormat =
      part.format === 'csv' || part.format === 'tsv' ? 'csv' : part.format === 'json' ? 'json' : 'ndjson';
    const layout: PartLayout = {
      label: part.label,
      path,
      format,
      delimiter: ',',
      nullText: part.columns ? '\\N' : '',
      names: part.columns ? part.columns.map(({ name }) => name) : [],
      sourceColumns: part.columns,
      records: 0,
      slices: [],
    };
    let from = 0;
    if (format === 'csv' && !part.columns) {
      const header = await readCsvHeader(file, bytes, part.format === 'tsv' ? '\t' : undefined);
      if (!header) return layout;
      layout.names = header.names;
      layout.delimiter = header.delimiter;
      from = header.dataFrom;
    } else if (!part.columns) from = await textStart(file, bytes);
    layout.slices = await cutSlices(file, { from, to: bytes }, layout, at, context);
    layout.records = layout.slices.reduce((sum, slice) => sum + slice.records, 0);
    return layout;
  } finally {
    await file.close();
  }
}

/** How the records of a format are found. */
export function finderOf(layout: Pick<PartLayout, 'format' | 'delimiter'>, state: { isInArray: boolean }): FindRecord {
  if (layout.format === 'csv') return createCsvFinder(layout.delimiter.charCodeAt(0));
  return layout.format === 'json' ? createJsonFinder(state) : findLine;
}

/** What else a scan has to know of a format. */
export function scanRules(layout: Pick<PartLayout, 'format' | 'names'>) {
  return {
    isLineBased: layout.format !== 'json',
    // Of one column an empty cell is a blank line.
    isBlankRecord: layout.format === 'csv' && layout.names.length === 1,
    hasPlainLines: layout.format === 'csv',
  };
}

async function cutSlices(
  file: FileHandle,
  range: { from: number; to: number },
  layout: PartLayout,
  at: number,
  context: SliceContext,
): Promise<Slice[]> {
  const state = { isInArray: false };
  const cut = createCutter(layout, state, context.sliceBytes ?? SLICE_BYTES, (slice, bad) =>
    writeStaged(SLICE_FILES.bad(context.folder, at, slice), JSON.stringify(bad)),
  );
  const find = finderOf(layout, state);
  await scanRecords(file, { ...range, find, ...scanRules(layout), signal: context.signal }, cut.sink);
  return cut.finish();
}

/** Collects records into slices. */
function createCutter(
  layout: PartLayout,
  state: { isInArray: boolean },
  sliceBytes: number,
  writeBad: (slice: number, bad: BadRecord[]) => Promise<void>,
) {
  const slices: Slice[] = [];
  const full: BadRecord[][] = [];
  let bad: BadRecord[] = [];
  let open: (Slice & { returns: number; blanks: number }) | undefined;
  let records = 0;
  let allBad = 0;
  const close = () => {
    if (!open) return;
    const { returns, blanks, ...slice } = open;
    const good = slice.records - slice.badRecords;
    const isMixed = layout.format === 'json' || blanks > 0 || (returns > 0 && returns < good);
    slices.push({ ...slice, newline: isMixed ? 'mixed' : returns > 0 ? '\r\n' : '\n' });
    full.push(bad);
    [open, bad] = [undefined, []];
  };
  const grow = (from: number, to: number) => {
    if (open && (to - open.from > sliceBytes || bad.length >= MOST_BAD_RECORDS)) close();
    open ??= {
      from,
      to,
      recordsBefore: records,
      records: 0,
      badRecords: 0,
      newline: '\n',
      // The state is already that of this record, so within an array unless it is a value of its own.
      isInArray: state.isInArray,
      returns: 0,
      blanks: 0,
    };
    open.to = to;
    return open;
  };
  const flush = async () => {
    for (const list of full)
      if (list.length > 0) await writeBad(slices.length - full.length + full.indexOf(list), list);
    full.length = 0;
  };
  const sink: RecordSink = {
    good(from, to, content) {
      const slice = grow(from, to);
      slice.records++;
      records++;
      if (content[content.length - 2] === 13 && content[content.length - 1] === 10) slice.returns++;
    },
    run(from, content) {
      for (let at = 0; at < content.length;) {
        const isOpen = open !== undefined && bad.length < MOST_BAD_RECORDS;
        const to = endOfFit(content, at, (isOpen ? open!.from : from + at) + sliceBytes - from);
        const lines = countLines(content, at, to);
        grow(from + at, from + to).records += lines;
        records += lines;
        at = to;
      }
    },
    bad(from, to, reason, content) {
      const slice = grow(from, to);
      slice.records++;
      slice.badRecords++;
      records++;
      allBad++;
      bad.push({ record: records, from, to, reason, content });
      if (allBad > BAD_TO_GIVE_UP && allBad * 2 > records) throw tooManyBad(layout.label, allBad, records);
    },
    blank(from, to) {
      if (open) {
        open.to = to;
        open.blanks++;
      } else if (layout.format !== 'json') grow(from, to).blanks++;
    },
    pause: flush,
  };
  return {
    sink,
    async finish() {
      close();
      await flush();
      return slices;
    },
  };
}

/** The end of the last line that ends at `most` or before; of the first one, where not even that does. */
function endOfFit(content: Buffer, at: number, most: number): number {
  if (most >= content.length) return content.length;
  const end = most > at ? content.lastIndexOf(LF, most - 1) + 1 : 0;
  if (end > at) return end;
  const first = content.indexOf(LF, at);
  return first < 0 ? content.length : first + 1;
}

const tooManyBad = (label: string, bad: number, records: number) =>
  new ServiceError(
    'dataset_rejected',
    `${bad} of the first ${records} records of ${label} cannot be read: more than half, so this looks like the wrong source or format.`,
  );

async function sliceParquet(part: RawPart, context: SliceContext): Promise<PartLayout> {
  const file = quoteText(part.path);
  try {
    return await withDuckDb(async (connection) => {
      const described = await queryRows<{ column_name: string; column_type: string }>(
        connection,
        `DESCRIBE SELECT * FROM read_parquet(${file})`,
      );
      refuseTooManyColumns(described.length);
      const groups = await queryRows<{ rows: number; bytes: number }>(
        connection,
        `SELECT any_value(row_group_num_rows) AS rows, sum(total_uncompressed_size) AS bytes FROM parquet_metadata(${file}) GROUP BY row_group_id ORDER BY row_group_id`,
      );
      const slices = groupRows(groups, context.sliceBytes ?? SLICE_BYTES);
      return {
        label: part.label,
        path: part.path,
        format: 'parquet' as const,
        delimiter: '',
        nullText: '',
        names: described.map((column) => column.column_name),
        storedTypes: described.map((column) => column.column_type),
        records: slices.reduce((sum, slice) => sum + slice.records, 0),
        slices,
      };
    });
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const said = ((error as Error).message.split('\n', 1)[0] ?? '').replaceAll(part.path, part.label);
    throw new ServiceError('source_unreadable', `The source could not be read as parquet: ${said}`);
  }
}

/** Whole row groups together, as many as make a slice. */
function groupRows(groups: readonly { rows: number; bytes: number }[], sliceBytes: number): Slice[] {
  const slices: Slice[] = [];
  let bytes = 0;
  let row = 0;
  for (const group of groups) {
    const last = slices.at(-1);
    if (last && bytes + group.bytes <= sliceBytes) {
      last.to += group.rows;
      last.records += group.rows;
      bytes += group.bytes;
    } else {
      slices.push({
        from: row,
        to: row + group.rows,
        recordsBefore: row,
        records: group.rows,
        badRecords: 0,
        newline: '\n',
        isInArray: false,
      });
      bytes = group.bytes;
    }
    row += group.rows;
  }
  return slices;
}
