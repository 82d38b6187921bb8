import type { FeatureType, FeatureView } from '../../core/schemas/feature-view.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';

const SQL_TYPES: Record<FeatureType, string> = { number: 'DOUBLE', string: 'VARCHAR', boolean: 'BOOLEAN' };
/** Rows of one file; the number of the file stands above it. */
const ROWS_A_FILE = 2 ** 40;

/** A value of a type; what does not fit, and what is not finite, is missing. */
export function typedSql(sql: string, type: FeatureType): string {
  const cast = `TRY_CAST(${sql} AS ${SQL_TYPES[type]})`;
  return type === 'number' ? `CASE WHEN isfinite(${cast}) THEN ${cast} END` : cast;
}

const microseconds = (sql: string) => `epoch_us(TRY_CAST(${sql} AS TIMESTAMP))`;

/** The Parquet files of a data type as a relation whose rows are numbered in their order, as `_row`. */
export function filesSql(files: readonly string[]): string {
  const list = `[${files.map(quoteText).join(', ')}]`;
  return `SELECT * EXCLUDE (filename, file_row_number), (list_position(${list}, filename) - 1) * ${ROWS_A_FILE} + file_row_number AS _row
    FROM read_parquet(${list}, filename = true, file_row_number = true, union_by_name = true)`;
}

/** The features of a row, as columns. */
export function featuresSql({ features }: FeatureView): string {
  return Object.entries(features)
    .map(([name, { type, expression }]) => {
      const sql = expression === undefined ? quoteIdentifier(name) : `(${expression})`;
      return `${typedSql(sql, type)} AS ${quoteIdentifier(name)}`;
    })
    .join(', ');
}

/**
 * The rows of a view without their features: `entity_id`, `event_us`, `available_us`, `known_us`, `sequence` and `_row`. A row is known from
 * when it was available, and not before the time that it is about.
 * @param rows a relation that has the columns of the view and `_row`
 */
export function timesSql(view: FeatureView, rows: string): string {
  const event = microseconds(quoteIdentifier(view.event_time));
  const available = view.available_time === undefined ? event : microseconds(quoteIdentifier(view.available_time));
  const sequence = view.sequence === undefined ? '_row' : `TRY_CAST(${quoteIdentifier(view.sequence)} AS BIGINT)`;
  return `SELECT *, greatest(event_us, available_us) AS known_us FROM (
      SELECT CAST(${quoteIdentifier(view.entity)} AS VARCHAR) AS entity_id, ${event} AS event_us, ${available} AS available_us,
        coalesce(${sequence}, -1) AS sequence, _row FROM ${rows})
    WHERE entity_id IS NOT NULL AND event_us IS NOT NULL AND available_us IS NOT NULL`;
}

/**
 * Of the rows of `timesSql` those that changed what was known: at any time the last of them is the row that counts, the one with the
 * greatest (event, available, sequence) of all that are known by then. A late row about an earlier time changes nothing.
 * @param isKnownAtEvent every row is known at the time that it is about, so that none can be late
 */
export function stepsSql(times: string, isKnownAtEvent: boolean): string {
  const order = isKnownAtEvent ? 'known_us, sequence, _row' : 'known_us, event_us, available_us, sequence, _row';
  const byTime = `PARTITION BY entity_id ORDER BY ${order}`;
  const latest = isKnownAtEvent
    ? ''
    : `AND event_us >= coalesce(max(event_us) OVER (${byTime} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), event_us)`;
  return `SELECT entity_id, known_us, event_us, available_us, _row FROM (${times})
    QUALIFY known_us IS DISTINCT FROM lead(known_us) OVER (${byTime}) ${latest}`;
}

/**
 * For each row of `asked` (`ask`, `entity_id`, `at_us`) the row of the view that counts at that time: `ask`, `at_us`, `event_us`,
 * `available_us`, `_row`; the last three are null where nothing was known.
 * @param asked the name of a table
 */
export function asOfSql(view: FeatureView, rows: string, asked: string): string {
  const times = `SELECT * FROM (${timesSql(view, rows)}) SEMI JOIN ${asked} USING (entity_id)`;
  return `SELECT a.ask, a.at_us, s.event_us, s.available_us, s._row FROM ${asked} a
    ASOF LEFT JOIN (${stepsSql(times, view.available_time === undefined)}) s
    ON a.entity_id = s.entity_id AND a.at_us >= s.known_us`;
}

/**
 * The answer to each row of `asked`: `ask`, `_status` (`fresh`, `expired` or `missing`), `_age_seconds`, and the features. An expired value
 * is not given.
 */
export function historicalSql(view: FeatureView, rows: string, asked: string): string {
  const ttlUs = view.ttl_seconds * 1e6;
  const names = Object.keys(view.features).map(quoteIdentifier);
  const cells = names.map((name) => `CASE WHEN h.at_us - h.event_us <= ${ttlUs} THEN v.${name} END AS ${name}`);
  return `SELECT h.ask, CASE WHEN h.event_us IS NULL THEN 'missing' WHEN h.at_us - h.event_us <= ${ttlUs} THEN 'fresh' ELSE 'expired' END AS _status,
      (h.at_us - h.event_us) / 1e6 AS _age_seconds, ${cells.join(', ')}
    FROM (${asOfSql(view, rows, asked)}) h LEFT JOIN (SELECT _row, ${featuresSql(view)} FROM ${rows}) v ON v._row = h._row`;
}
