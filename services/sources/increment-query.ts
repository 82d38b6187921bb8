import pg from 'pg';
import { ServiceError } from '../../core/errors.js';
import type { ReadTo, Watermark } from './watermark.js';

/** Which rows of a source are new. */
export interface Increment {
  column: string;
  /** Seconds of a time, units of a number. */
  overlap: number;
  from: Pick<Watermark, 'value' | 'seen'>;
}

/** More rows than this within the overlap are not remembered. */
const MOST_SEEN = 100_000;
const TIMES = ['date', 'timestamp without time zone', 'timestamp with time zone'];
const NUMBERS = ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'];

const invalid = (path: string, message: string) =>
  new ServiceError('request_invalid', `The ingestion is not possible: ${path} ${message}.`, [{ path, message }]);

/**
 * Statements over `select`, all of whose columns are there. A row is told by what is in it and by how many equal ones come before, so that each of two
 * equal rows counts.
 */
export class IncrementQuery {
  readonly #cursor: string;
  readonly #type: string;

  private constructor(
    private readonly select: string,
    private readonly increment: Increment,
    type: string,
  ) {
    this.#cursor = `source.${pg.escapeIdentifier(increment.column)}`;
    this.#type = type;
  }

  /** @throws ServiceError `request_invalid` when there is no such column, or its type has no order that an overlap could be counted in */
  static async open(client: pg.Client, select: string, increment: Increment): Promise<IncrementQuery> {
    const described = await client.query(`SELECT * FROM (${select}) AS source LIMIT 0`);
    const field = described.fields.find(({ name }) => name === increment.column);
    if (!field) throw invalid('options.cursor_column', `names no column of the source: "${increment.column}"`);
    const named = await client.query<{ type: string }>('SELECT format_type($1, NULL) AS type', [field.dataTypeID]);
    const type = named.rows[0]!.type;
    if (increment.overlap > 0 && !TIMES.includes(type) && !NUMBERS.includes(type))
      throw invalid('options.cursor_overlap', `needs a cursor that is a time or a number, and this one is ${type}`);
    return new IncrementQuery(select, increment, type);
  }

  /** Rows behind the watermark, and those within the overlap that were not there before. @param columns as SQL */
  newRows(columns: string): string {
    const { value, seen } = this.increment.from;
    const plain = `SELECT ${columns} FROM (${this.select}) AS source WHERE ${this.#cursor}`;
    if (value === undefined) return `${plain} IS NOT NULL`;
    const at = this.#literal(value);
    const known = `ARRAY[${seen.map((key) => pg.escapeLiteral(key)).join(', ')}]::text[]`;
    return `${plain} > ${at} UNION ALL SELECT ${columns} FROM (${this.#keyed(at)}) AS late WHERE late._mlops_key <> ALL (${known})`;
  }

  /** Where the source ends now. @returns undefined for a source without rows */
  async readTo(client: pg.Client): Promise<ReadTo | undefined> {
    const ends = await client.query<{ value: string | null }>(
      `SELECT max(${this.#cursor})::text AS value FROM (${this.select}) AS source`,
    );
    const value = ends.rows[0]?.value;
    if (value === null || value === undefined) return undefined;
    const keys = await client.query<{ key: string }>(
      `SELECT _mlops_key AS key FROM (${this.#keyed(this.#literal(value))}) AS late LIMIT ${MOST_SEEN + 1}`,
    );
    if (keys.rows.length > MOST_SEEN)
      throw invalid(
        'options.cursor_overlap',
        `covers more than ${MOST_SEEN} rows: make it shorter, or take a finer cursor`,
      );
    return { value, seen: keys.rows.map(({ key }) => key) };
  }

  #literal(value: string): string {
    return `${pg.escapeLiteral(value)}::${this.#type}`;
  }

  /** Rows from the overlap before a value up to it, each with its key. */
  #keyed(at: string): string {
    const { overlap } = this.increment;
    const low =
      overlap === 0 ? at : `${at} - ${TIMES.includes(this.#type) ? `interval '${overlap} seconds'` : overlap}`;
    const key = `md5(source::text || ' ' || row_number() OVER (PARTITION BY source::text))`;
    return `SELECT source.*, ${key} AS _mlops_key FROM (${this.select}) AS source WHERE ${this.#cursor} >= ${low} AND ${this.#cursor} <= ${at}`;
  }
}
