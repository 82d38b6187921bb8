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
      const sql = expression === undefined ? quoteIdentifier(name) : `(${expression}\n)`;
      return `${typedSql(sql, type)} AS ${quoteIdentifier(name)}`;
    })
    .join(', ');
}

/**
 * The rows of a view without their features: `_entity`, `_event_us`, `_available_us`, `_known_us`, `_sequence` and `_row`. A row is known from
 * when it was available, and not before the time that it is about.
 * @param rows a relation that has the columns of the view and `_row`
 */
export function timesSql(view: FeatureView, rows: string): string {
  const event = microseconds(quoteIdentifier(view.event_time));
  const available = view.available_time === undefined ? event : microseconds(quoteIdentifier(view.available_time));
  const sequence = view.sequence === undefined ? '_row' : `TRY_CAST(${quoteIdentifier(view.sequence)} AS BIGINT)`;
  return `SELECT *, greatest(_event_us, _available_us) AS _known_us FROM (
      SELECT CAST(${quoteIdentifier(view.entity)} AS VARCHAR) AS _entity, ${event} AS _event_us, ${available} AS _available_us,
        coalesce(${sequence}, -1) AS _sequence, _row FROM ${rows})
    WHERE _entity IS NOT NULL AND _event_us IS NOT NULL AND _available_us IS NOT NULL`;
}

/**
 * Of the rows of `timesSql` those that changed what was known: at any time the last of them is the row that counts, the one with the
 * greatest (event, available, sequence) of all that are known by then. A late row about an earlier time changes nothing.
 * @param isKnownAtEvent every row is known at the time that it is about, so that none can be late
 */
export function stepsSql(times: string, isKnownAtEvent: boolean): string {
  const order = isKnownAtEvent ? '_known_us, _sequence, _row' : '_known_us, _event_us, _available_us, _sequence, _row';
  const byTime = `PARTITION BY _entity ORDER BY ${order}`;
  const latest = isKnownAtEvent
    ? ''
    : `AND _event_us >= coalesce(max(_event_us) OVER (${byTime} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), _event_us)`;
  return `SELECT _entity, _known_us, _event_us, _available_us, _row FROM (${times})
    QUALIFY _known_us IS DISTINCT FROM lead(_known_us) OVER (${byTime}) ${latest}`;
}

/**
 * For each row of `asked` (`_ask`, `_entity`, `_at_us`) the row of the view that counts at that time: `_ask`, `_at_us`, `_event_us`,
 * `_available_us`, `_row`; the last three are null where nothing was known.
 * @param asked the name of a table
 */
export function asOfSql(view: FeatureView, rows: string, asked: string): string {
  const times = `SELECT * FROM (${timesSql(view, rows)}) SEMI JOIN ${asked} USING (_entity)`;
  return `SELECT a._ask, a._at_us, s._event_us, s._available_us, s._row FROM ${asked} a
    ASOF LEFT JOIN (${stepsSql(times, view.available_time === undefined)}) s
    ON a._entity = s._entity AND a._at_us >= s._known_us`;
}

/**
 * The answer to each row of `asked`: `_ask`, `_status` (`fresh`, `expired` or `missing`), `_age_seconds`, and the features. An expired value
 * is not given.
 */
export function historicalSql(view: FeatureView, rows: string, asked: string): string {
  const ttlUs = view.ttl_seconds * 1e6;
  const names = Object.keys(view.features).map(quoteIdentifier);
  const cells = names.map((name) => `CASE WHEN h._at_us - h._event_us <= ${ttlUs} THEN v.${name} END AS ${name}`);
  return `SELECT h._ask, CASE WHEN h._event_us IS NULL THEN 'missing' WHEN h._at_us - h._event_us <= ${ttlUs} THEN 'fresh' ELSE 'expired' END AS _status,
      (h._at_us - h._event_us) / 1e6 AS _age_seconds, ${cells.join(', ')}
    FROM (${asOfSql(view, rows, asked)}) h LEFT JOIN (SELECT _row, ${featuresSql(view)} FROM ${rows}) v ON v._row = h._row`;
}
