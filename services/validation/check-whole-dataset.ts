import { median } from '../../ml/evaluate/median.js';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { ExpectationOf } from '../../core/schemas/expectation.js';
import { queryRows, quoteIdentifier } from '../duckdb.js';
import { checkName, type CheckResult } from './validation-report.js';

const base = <Check extends ExpectationOf<'freshness' | 'rows' | 'volume' | 'sql'>>(expectation: Check) => ({
  name: checkName(expectation),
  expectation,
  severity: expectation.severity,
});

/** The newest value of a column of times must not be older than was stated. */
export async function checkFreshness(
  connection: DuckDBConnection,
  expectation: ExpectationOf<'freshness'>,
  nowMs: number,
): Promise<CheckResult> {
  const [found] = await queryRows<{ newest: number | null }>(
    connection,
    `SELECT epoch(max(TRY_CAST(${quoteIdentifier(expectation.column)} AS TIMESTAMP))) AS newest FROM data`,
  );
  const newest = found?.newest ?? null;
  if (newest === null) return { ...base(expectation), status: 'failed', message: 'the column holds no time' };
  const ageSeconds = nowMs / 1000 - newest;
  const isFresh = ageSeconds <= expectation.max_age_seconds;
  return {
    ...base(expectation),
    status: isFresh ? 'passed' : 'failed',
    message: `the newest value is ${isFresh ? 'not older' : 'older'} than ${expectation.max_age_seconds} s`,
    observed: { newest: new Date(newest * 1000).toISOString() },
  };
}

/** Bounds that were stated. */
export function checkRowCount(expectation: ExpectationOf<'rows'>, rows: number): CheckResult {
  const { minimum = 0, maximum = Infinity } = expectation;
  return {
    ...base(expectation),
    status: rows >= minimum && rows <= maximum ? 'passed' : 'failed',
    message: `there are ${rows} rows`,
    observed: { rows },
  };
}

/** A median of fewer snapshots says little. */
const LEAST_SNAPSHOTS = 3;
/** Snapshots that were all alike must not make the next one an alarm: so much of the median is always usual. */
const LEAST_SPREAD = 0.05;
/** Makes the median absolute deviation a standard deviation, for values that are normally distributed. */
const MAD_TO_DEVIATION = 1.4826;

/** The count of rows against the earlier snapshots: their median, and robust standard deviations around it. */
export function checkVolume(
  expectation: ExpectationOf<'volume'>,
  rows: number,
  earlier: readonly number[],
): CheckResult {
  if (earlier.length < LEAST_SNAPSHOTS)
    return {
      ...base(expectation),
      status: 'skipped',
      message: `there are ${earlier.length} earlier snapshots, and ${LEAST_SNAPSHOTS} are needed to tell what is usual`,
    };
  const middle = median(earlier);
  const deviation = MAD_TO_DEVIATION * median(earlier.map((count) => Math.abs(count - middle)));
  const reach = expectation.factor * Math.max(deviation, LEAST_SPREAD * middle);
  const [lower, upper] = [Math.max(0, Math.floor(middle - reach)), Math.ceil(middle + reach)];
  return {
    ...base(expectation),
    status: rows >= lower && rows <= upper ? 'passed' : 'failed',
    message: `there are ${rows} rows, and ${lower} to ${upper} are usual after ${earlier.length} snapshots`,
    observed: { rows, median: middle, lower, upper, snapshots: earlier.length },
  };
}

/** What a SELECT of failing rows comes to. */
export function judgeSql(
  expectation: ExpectationOf<'sql'>,
  outcome: { rows: number } | { problem: string },
  rows: number,
): CheckResult {
  if ('problem' in outcome)
    return { ...base(expectation), status: 'failed', message: `the SELECT was not run: ${outcome.problem}` };
  const { rows: failed } = outcome;
  return {
    ...base(expectation),
    status: failed <= (1 - expectation.mostly) * rows + 1e-9 ? 'passed' : 'failed',
    message: failed === 0 ? 'the SELECT finds no row' : `the SELECT finds ${failed} rows`,
    rows_checked: rows,
    rows_failed: failed,
    share: rows === 0 ? 1 : Math.max(0, 1 - failed / rows),
  };
}
