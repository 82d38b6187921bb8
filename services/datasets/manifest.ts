import type { ColumnType } from './column-types.js';

/** What one column looks like: counts and quantiles over the good rows. */
export interface ColumnProfile {
  name: string;
  type: ColumnType;
  null_share: number;
  distinct: number;
  /** Numbers of a numeric column, texts of any other. */
  minimum: number | string | null;
  maximum: number | string | null;
  mean: number | null;
  standard_deviation: number | null;
  quartiles: [number | string | null, number | string | null, number | string | null];
}

/** One finding about the whole dataset: something to look at, or the reason why rows went to quarantine. */
export interface QualityFinding {
  severity: 'warning' | 'error';
  column?: string;
  message: string;
  rows: number;
}

/** All that is known of a snapshot; stored beside its rows as `manifest.json`. */
export interface DatasetManifest {
  format_version: 1;
  dataset_id: string;
  data_type: string;
  source: string;
  rows: number;
  quarantined_rows: number;
  /** SHA-256 of `data.parquet`, or of the digests of its parts: the same source gives the same digest. */
  digest: string;
  bytes: number;
  /** The files that the rows are in, in their order. */
  files?: { name: string; rows: number; quarantined_rows: number; digest: string }[];
  /** Parts of the source that could not be read and are not in the dataset. */
  missing_parts?: { name: string; reason: string }[];
  columns: ColumnProfile[];
  quality: QualityFinding[];
  /** Columns whose type was told from their cells: neither the source nor the data type says it. */
  inferred_columns?: string[];
  /** Of a dataset that was made of others, by which job. */
  lineage?: DatasetLineage;
  /** Rows that were erased since, oldest first; absent where none were. */
  redactions?: Redaction[];
}

/** What a dataset was made of. */
export interface DatasetLineage {
  operation: 'preprocess' | 'replay';
  job_id: string;
  parents: { dataset_id: string; digest: string }[];
}

/** Rows of a person were erased from the snapshot: it keeps its id, and its digest is another from then on. */
export interface Redaction {
  erasure_id: string;
  at: string;
  rows: number;
  quarantined_rows: number;
  digest_before: string;
  digest_after: string;
}

/** The rows of a dataset of one file. */
export const DATA_FILE = 'data.parquet';
/** The rows of any dataset, as a pattern for `read_parquet`: one file, or `data-00001.parquet` and so on in the order of the rows. */
export const DATA_FILES = 'data*.parquet';
export const QUARANTINE_FILE = 'quarantine.parquet';
export const MANIFEST_FILE = 'manifest.json';
