import type { DuckDBConnection } from '@duckdb/node-api';
import type { ExpectationOf } from '../../core/schemas/expectation.js';
import { chiSquareHomogeneity, kolmogorovSmirnov, type TwoSampleResult } from '../../ml/evaluate/two-sample.js';
import type { ColumnType } from '../datasets/column-types.js';
import { queryRows, quoteIdentifier } from '../duckdb.js';
import { checkName, type CheckResult } from './validation-report.js';

/** Categories beyond the most frequent ones are one. */
const MOST_CATEGORIES = 200;
/** With fewer rows on a side even a large difference may be chance. */
const LEAST_ROWS = 20;

/**
 * Compares one column of `data` with that of an earlier dataset. It has changed only where the test says that this is no chance and the
 * distance is worth looking at: with millions of rows the one is always so.
 * @param reference the other dataset as a relation, and its name
 */
export async function checkDistribution(
  connection: DuckDBConnection,
  expectation: ExpectationOf<'distribution'>,
  type: ColumnType,
  reference: { relation: string; datasetId: string },
): Promise<CheckResult> {
  const column = quoteIdentifier(expectation.column);
  const isTime = type === 'timestamp' || type === 'date';
  const isOrdered = isTime || type === 'integer' || type === 'number';
  const compared = isOrdered
    ? await compareOrdered(connection, column, isTime, reference.relation)
    : await compareCategories(connection, column, reference.relation);
  const base = { name: checkName(expectation), expectation, severity: expectation.severity };
  const observed = { against: reference.datasetId, rows: compared.rows, reference_rows: compared.referenceRows };
  if (!compared.result)
    return {
      ...base,
      status: 'skipped',
      message: `fewer than ${LEAST_ROWS} values on a side: nothing can be told`,
      observed,
    };
  const { statistic, pValue, effect } = compared.result;
  const isSure = pValue < expectation.alpha;
  const isLarge = effect >= expectation.minimum_effect;
  const distance = `the distance to ${reference.datasetId} is ${effect.toPrecision(3)}`;
  const message =
    isSure && isLarge
      ? `${distance}, more than chance and at least ${expectation.minimum_effect}`
      : isSure
        ? `${distance}: no chance, but less than ${expectation.minimum_effect}`
        : `${distance}, which may be chance`;
  return {
    ...base,
    status: isSure && isLarge ? 'failed' : 'passed',
    message,
    observed: {
      ...observed,
      test: isOrdered ? 'kolmogorov_smirnov' : 'chi_square',
      statistic,
      p_value: pValue,
      effect,
    },
  };
}

interface Compared {
  result?: TwoSampleResult;
  rows: number;
  referenceRows: number;
}

/** The largest distance of the cumulative distributions, over all distinct values of both. */
async function compareOrdered(
  connection: DuckDBConnection,
  column: string,
  isTime: boolean,
  reference: string,
): Promise<Compared> {
  // Times as seconds, so that one test does for numbers and times.
  const value = isTime ? `epoch(TRY_CAST(${column} AS TIMESTAMP))` : `TRY_CAST(${column} AS DOUBLE)`;
  const [found] = await queryRows<{ first: number; second: number; distance: number | null }>(
    connection,
    `WITH counts AS (
       SELECT value, count(*) FILTER (own) AS a, count(*) FILTER (NOT own) AS b
       FROM (SELECT ${value} AS value, true AS own FROM data UNION ALL SELECT ${value}, false FROM ${reference})
       WHERE value IS NOT NULL GROUP BY value),
     sums AS (SELECT sum(a) OVER () AS first, sum(b) OVER () AS second, sum(a) OVER (ORDER BY value) AS a, sum(b) OVER (ORDER BY value) AS b FROM counts)
     SELECT CAST(max(first) AS DOUBLE) AS first, CAST(max(second) AS DOUBLE) AS second, max(abs(a / first - b / second)) AS distance FROM sums`,
  );
  const [rows, referenceRows] = [found?.first ?? 0, found?.second ?? 0];
  if (rows < LEAST_ROWS || referenceRows < LEAST_ROWS) return { rows, referenceRows };
  return { rows, referenceRows, result: kolmogorovSmirnov(found!.distance!, rows, referenceRows) };
}

async function compareCategories(connection: DuckDBConnection, column: string, reference: string): Promise<Compared> {
  const counts = await queryRows<{ a: number; b: number }>(
    connection,
    `WITH counts AS (
       SELECT value, count(*) FILTER (own) AS a, count(*) FILTER (NOT own) AS b
       FROM (SELECT CAST(${column} AS VARCHAR) AS value, true AS own FROM data UNION ALL SELECT CAST(${column} AS VARCHAR), false FROM ${reference})
       WHERE value IS NOT NULL GROUP BY value),
     placed AS (SELECT a, b, row_number() OVER (ORDER BY a + b DESC, value) AS place FROM counts)
     SELECT CAST(sum(a) AS BIGINT) AS a, CAST(sum(b) AS BIGINT) AS b FROM placed GROUP BY least(place, ${MOST_CATEGORIES + 1}) ORDER BY 1 DESC, 2`,
  );
  const rows = counts.reduce((sum, { a }) => sum + a, 0);
  const referenceRows = counts.reduce((sum, { b }) => sum + b, 0);
  if (rows < LEAST_ROWS || referenceRows < LEAST_ROWS) return { rows, referenceRows };
  return { rows, referenceRows, result: chiSquareHomogeneity(counts.map(({ a, b }) => [a, b])) };
}
