import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import type { ColumnType } from './column-types.js';
import type { ColumnProfile, QualityFinding } from './manifest.js';

/** Up to this many rows distinct values are counted exactly and quartiles come from all rows. */
const EXACT_UP_TO_ROWS = 200_000;
/** Above it, quartiles come from about so many rows, at equal steps. */
const SAMPLE_ROWS = 200_000;

const COLUMNS_AT_ONCE = 64;

interface Summary {
  filled: number;
  different: number;
  minimum: string | null;
  maximum: string | null;
  mean: number | null;
  deviation: number | null;
}

/**
 * Describes each column of Parquet files: counts, extremes, moments and quartiles, numbers as numbers. Of many rows distinct values are
 * counted to within a few per cent, and quartiles come from a sample that is the same each time.
 * @param files a path or a pattern
 */
export async function profileColumns(
  connection: DuckDBConnection,
  files: string,
  columns: readonly { name: string; type: ColumnType }[],
  rows: number,
): Promise<{ profiles: ColumnProfile[]; warnings: QualityFinding[] }> {
  const source = `read_parquet(${quoteText(files)}, file_row_number = true)`;
  // DuckDB plans thousands of aggregates at once for minutes.
  if (columns.length > COLUMNS_AT_ONCE) {
    const one = await profileColumns(connection, files, columns.slice(0, COLUMNS_AT_ONCE), rows);
    const rest = await profileColumns(connection, files, columns.slice(COLUMNS_AT_ONCE), rows);
    return { profiles: [...one.profiles, ...rest.profiles], warnings: [...one.warnings, ...rest.warnings] };
  }
  const isExact = rows <= EXACT_UP_TO_ROWS;
  const [summary] = await queryRows<{ columns: Summary[] }>(
    connection,
    `SELECT [${columns.map((column) => summaryOf(column, isExact)).join(', ')}] AS columns FROM ${source}`,
  );
  const step = isExact ? 1 : Math.ceil(rows / SAMPLE_ROWS);
  const [sampled] = await queryRows<{ quartiles: (string | null)[][] }>(
    connection,
    `SELECT [${columns.map(quartilesOf).join(', ')}] AS quartiles FROM ${source} WHERE file_row_number % ${step} = 0`,
  );
  const profiles = columns.map((column, at) => profileOf(column, rows, summary?.columns[at], sampled?.quartiles[at]));
  return { profiles, warnings: profiles.flatMap((profile) => warningsOf(profile, rows)) };
}

const isNumeric = (type: ColumnType) => type === 'integer' || type === 'number';

function summaryOf({ name, type }: { name: string; type: ColumnType }, isExact: boolean): string {
  const column = quoteIdentifier(name);
  const text = (aggregate: string) => `CAST(${aggregate}(${column}) AS VARCHAR)`;
  const moment = (aggregate: string) =>
    isNumeric(type)
      ? `${aggregate}(CAST(${column} AS DOUBLE)) FILTER (isfinite(CAST(${column} AS DOUBLE)))`
      : 'NULL::DOUBLE';
  return `{filled: count(${column}), different: ${isExact ? `count(DISTINCT ${column})` : `approx_count_distinct(${column})`}, minimum: ${text('min')}, maximum: ${text('max')}, mean: ${moment('avg')}, deviation: ${moment('stddev_samp')}}`;
}

function quartilesOf({ name, type }: { name: string; type: ColumnType }): string {
  const isOrdered = isNumeric(type) || type === 'timestamp' || type === 'date';
  if (!isOrdered) return '[NULL::VARCHAR, NULL, NULL]';
  return `CAST(quantile_disc(${quoteIdentifier(name)}, [0.25, 0.5, 0.75]) AS VARCHAR[])`;
}

function profileOf(
  { name, type }: { name: string; type: ColumnType },
  rows: number,
  summary: Summary | undefined,
  quartiles: readonly (string | null)[] | undefined,
): ColumnProfile {
  const value = (text: string | null | undefined) => {
    if (text === null || text === undefined) return null;
    if (!isNumeric(type)) return text;
    return Number.isNaN(Number(text)) ? null : Number(text);
  };
  const filled = summary?.filled ?? 0;
  return {
    name,
    type,
    null_share: rows === 0 ? 0 : 1 - filled / rows,
    distinct: Math.min(filled, summary?.different ?? 0),
    minimum: value(summary?.minimum),
    maximum: value(summary?.maximum),
    mean: settled(summary?.mean),
    standard_deviation: settled(summary?.deviation),
    quartiles: [value(quartiles?.[0]), value(quartiles?.[1]), value(quartiles?.[2])],
  };
}

/** Sums over several files and threads differ in their last digits from run to run; what is told of the same rows must not. */
const settled = (moment: number | null | undefined) =>
  moment === null || moment === undefined ? null : Number(moment.toPrecision(12));

function warningsOf(profile: ColumnProfile, rows: number): QualityFinding[] {
  const warning = (message: string, count: number): QualityFinding[] => [
    { severity: 'warning', column: profile.name, message, rows: count },
  ];
  if (rows === 0) return [];
  if (profile.null_share >= 1) return warning('the column is empty', rows);
  if (rows > 1 && profile.distinct === 1 && profile.null_share === 0)
    return warning('the column has one value only', rows);
  return profile.null_share > 0.5
    ? warning('more than half of the cells are empty', Math.round(rows * profile.null_share))
    : [];
}
