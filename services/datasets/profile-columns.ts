import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import type { ColumnType } from './column-types.js';
import type { ColumnProfile, QualityFinding } from './manifest.js';

/** Up to this many rows distinct values are counted exactly; above it, to within a few per cent. */
const EXACT_UP_TO_ROWS = 2_000_000;

type SummaryRow = Record<string, string | number | null>;

/** Describes each column of a Parquet file: counts, extremes, moments and quartiles, numbers as numbers. */
export async function profileColumns(
  connection: DuckDBConnection,
  file: string,
  columns: readonly { name: string; type: ColumnType }[],
): Promise<{ rows: number; profiles: ColumnProfile[]; warnings: QualityFinding[] }> {
  const source = `read_parquet(${quoteText(file)})`;
  const summary = await queryRows<SummaryRow>(connection, `SUMMARIZE SELECT * FROM ${source}`);
  const [counted] = await queryRows<{ rows: number }>(connection, `SELECT count(*) AS rows FROM ${source}`);
  const rows = counted?.rows ?? 0;
  const profiles: ColumnProfile[] = [];
  for (const [index, column] of columns.entries()) {
    const row = summary[index] ?? {};
    const distinct = Math.min(rows, Number(row['approx_unique'] ?? 0));
    profiles.push({
      ...profileOf(column, row),
      distinct: rows > EXACT_UP_TO_ROWS ? distinct : await countDistinct(connection, source, column.name),
    });
  }
  return { rows, profiles, warnings: profiles.flatMap((profile) => warningsOf(profile, rows)) };
}

async function countDistinct(connection: DuckDBConnection, source: string, column: string): Promise<number> {
  const [counted] = await queryRows<{ distinct_values: number }>(
    connection,
    `SELECT count(DISTINCT ${quoteIdentifier(column)}) AS distinct_values FROM ${source}`,
  );
  return counted?.distinct_values ?? 0;
}

function profileOf(
  { name, type }: { name: string; type: ColumnType },
  row: SummaryRow,
): Omit<ColumnProfile, 'distinct'> {
  const isNumber = type === 'integer' || type === 'number';
  const number = (key: string) =>
    row[key] === null || row[key] === undefined || Number.isNaN(Number(row[key])) ? null : Number(row[key]);
  const value = (key: string) =>
    row[key] === null || row[key] === undefined ? null : isNumber ? number(key) : String(row[key]);
  return {
    name,
    type,
    null_share: Number(row['null_percentage'] ?? 0) / 100,
    minimum: value('min'),
    maximum: value('max'),
    mean: number('avg'),
    standard_deviation: number('std'),
    quartiles: [value('q25'), value('q50'), value('q75')],
  };
}

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
