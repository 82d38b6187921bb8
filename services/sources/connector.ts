import type { IngestOptions, RawFormat } from '../../core/schemas/ingestion.js';
import type { Container } from '../container.js';
import type { ColumnType } from '../datasets/column-types.js';

/** A source as it was asked for. Without credentials: it is written into the history of a workflow. */
export interface SourceRequest {
  source: string;
  options: IngestOptions;
  /** What the rows are; marks of how far a source was read are kept by it. */
  dataType: string;
  jobId: string;
}

/** A piece of a source that is read on its own. Small, plain JSON, without credentials. */
export interface SourcePart {
  /** `0000001-…`: unique within the plan, the same each time the source is planned, and fit for the name of a file. */
  id: string;
  /** For people: it is logged and shown. */
  label: string;
  /** What the connector needs to find the piece again. */
  read: Record<string, unknown>;
  /** As the source tells; compressed where the source is. */
  bytes?: number;
}

export interface SourcePlan {
  /** In the order in which their rows are numbered; at least one. */
  parts: SourcePart[];
}

export type Compression = 'none' | 'gzip' | 'zstd';

/** A part as it lies on this machine. The name of the file ends as its format and compression do. */
export interface FetchedPart {
  path: string;
  format: RawFormat;
  compression: Compression;
  bytes: number;
  /** Known for a copied table; such a file is CSV without a header, all values quoted, and `\N` for NULL. */
  columns?: SourceColumn[];
  /** Of an incremental part: what `commitPulls` makes the watermark of the source when the dataset is committed. */
  pull?: string;
}

export interface SourceColumn {
  name: string;
  type: ColumnType;
}

/** What connectors work with. */
export type SourceContext = Pick<Container, 'config' | 'database' | 'folders' | 'failPoint'>;

export interface FetchContext extends SourceContext {
  /** A folder of this job, for what is brought. */
  folder: string;
  /** Names within the folder begin with it, so that an attempt that was given up does not write into a later one's file. */
  attempt: string;
  signal: AbortSignal;
  /** Told the share so far, 0 to 1. */
  onProgress: (share: number) => void;
}

/** An option of an ingestion that only some sources have. */
export type SourceOption = Exclude<keyof IngestOptions, 'columns' | 'validation'>;

/**
 * One kind of source. A connector brings bytes to this machine, and neither parses nor checks them.
 * All methods can be repeated, by any process, at any time.
 */
export interface Connector {
  /** What it is called in messages, such as `postgresql:// sources`. */
  title: string;
  /** Options that it understands. */
  options: readonly SourceOption[];
  /**
   * Checks a request before a job is accepted, in milliseconds and without reaching the source.
   * @returns how the source may be called in logs and answers: without credentials
   * @throws ServiceError `source_forbidden`, `source_unreadable` or `request_invalid`
   */
  check(request: SourceRequest, context: SourceContext): Promise<string>;
  /** Looks at the source and cuts it into parts. @throws ServiceError as above */
  plan(request: SourceRequest, context: SourceContext & { signal: AbortSignal }): Promise<SourcePlan>;
  /**
   * Brings a part to this machine.
   * @throws ServiceError for what trying again does not mend; any other error is tried again
   */
  fetch(request: SourceRequest, part: SourcePart, context: FetchContext): Promise<FetchedPart>;
}
