import { join } from 'node:path';
import type { SourceColumn } from '../sources/connector.js';

/** Bytes of text, or of a Parquet file, that one slice has about. */
export const SLICE_BYTES = 64 * 2 ** 20;
/** The longest record that is read; a longer one goes to quarantine, so that memory stays bounded. */
export const MOST_RECORD_BYTES = 8 * 2 ** 20;
/** Columns that a source may have. */
export const MOST_COLUMNS = 4096;
/** JSON that is nested deeper goes to quarantine; a parser would recurse as deep. */
export const MOST_JSON_DEPTH = 64;

/** A record that is none: it is kept as it was found, and not read as a row. */
export interface BadRecord {
  /** Its place in the part, from 1; the header is not counted. */
  record: number;
  /** Bytes `from` (included) to `to` of the text. */
  from: number;
  to: number;
  reason: string;
  /** Its text, cut where it is long. */
  content: string;
}

/** A piece of a part that is read on its own: bytes of text, or rows of a Parquet file. */
export interface Slice {
  from: number;
  to: number;
  /** Records in the same part before this slice. */
  recordsBefore: number;
  /** Records in this slice, the bad ones included. */
  records: number;
  /** Bad records are in a file of their own. */
  badRecords: number;
  /** How all of its records end; `mixed` where they have to be written anew to be read. */
  newline: '\n' | '\r\n' | 'mixed';
  /** JSON: it begins within an array. */
  isInArray: boolean;
}

export type SliceFormat = 'csv' | 'ndjson' | 'json' | 'parquet';

/** How a part of the source lies on disk, and how it is cut. */
export interface PartLayout {
  /** For people. */
  label: string;
  path: string;
  format: SliceFormat;
  delimiter: string;
  /** Of CSV: which text stands for NULL. */
  nullText: string;
  /** Columns as stored, in order; for JSON they are found later, slice by slice. */
  names: string[];
  /** Of a copied table: its own types. Of Parquet: DuckDB's. */
  sourceColumns?: SourceColumn[];
  storedTypes?: string[];
  records: number;
  slices: Slice[];
}

/** One slice among all of the source. */
export interface SlicePlace {
  part: number;
  slice: number;
  /** Records of the parts before. */
  recordsBefore: number;
}

/** A part that cannot be read, and why. */
export interface PartFailure {
  part: number;
  label: string;
  code: string;
  message: string;
}

const number = (at: number) => String(at + 1).padStart(5, '0');

/** The names of all that the steps of an ingestion leave for each other in its staging folder. */
export const SLICE_FILES = {
  layout: (folder: string, part: number) => join(folder, `layout-${number(part)}.json`),
  bad: (folder: string, part: number, slice: number) => join(folder, `bad-${number(part)}-${number(slice)}.json`),
  failure: (folder: string, part: number) => join(folder, `failure-${number(part)}.json`),
  index: (folder: string) => join(folder, 'slices.json'),
  survey: (folder: string, at: number) => join(folder, `survey-${number(at)}.json`),
  schema: (folder: string) => join(folder, 'schema.json'),
  written: (folder: string, at: number) => join(folder, `written-${number(at)}.json`),
  data: (folder: string, at: number) => join(folder, `data-${number(at)}.parquet`),
  quarantine: (folder: string, at: number) => join(folder, `quarantine-${number(at)}.ndjson`),
};

/** Items `from` (included) to `to` of a list that lies in the staging folder: so nothing but numbers travels through a workflow. */
export interface ItemRange {
  from: number;
  to: number;
}

/** The small files in which steps note what they have found; each machine that works at a job has them all. */
export const isNote = (name: string) => name.endsWith('.json');

/** What one of these parts is made of, and what was found of it: by the numbers in `SLICE_FILES` and in the ids of parts. */
export function isOfParts(name: string, { from, to }: ItemRange): boolean {
  const unpacked = /^unpacked-(\d+)\./.exec(name)?.[1];
  const counted = /^(?:(?:layout|bad|failure)-)?(\d+)\b/.exec(name)?.[1];
  const at = unpacked === undefined ? Number(counted) - 1 : Number(unpacked);
  return name === 'plan.json' || (at >= from && at < to);
}

/** The rows of slices that were checked. */
export const isOfSlices = (name: string) => /^(data|quarantine)-\d+\./.test(name);
