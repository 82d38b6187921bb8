import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import { columnsOf, type RowCondition, type RowExpectation } from './row-conditions.js';
import { checkName, type CheckResult } from './validation-report.js';

/** Rows that are kept with a report, the first ones. */
export const MOST_KEPT_ROWS = 10_000;
const EXAMPLES = 5;

/**
 * Holds every row to all conditions in one pass over `data`: the rows that break any become the table `failing`, with the numbers of
 * the checks that they break.
 */
export async function checkRowExpectations(
  connection: DuckDBConnection,
  expectations: readonly RowExpectation[],
  conditions: readonly RowCondition[],
): Promise<CheckResult[]> {
  const broken = conditions.map(({ fails }, at) => `CASE WHEN ${fails} THEN ${at} END`).join(',\n');
  await connection.run(
    `CREATE TABLE failing AS SELECT * FROM
       (SELECT _row, list_filter(CAST([${broken}] AS INTEGER[]), lambda number: number IS NOT NULL) AS checks FROM data)
     WHERE len(checks) > 0`,
  );
  if (conditions.length === 0) return [];
  const applying = conditions.map(({ applies }, at) => `count(*) FILTER (${applies}) AS a${at}`).join(', ');
  const [applied] = await queryRows<Record<string, number>>(connection, `SELECT ${applying} FROM data`);
  const failed = new Map(
    (
      await queryRows<{ number: number; rows: number }>(
        connection,
        'SELECT number, count(*) AS rows FROM (SELECT unnest(checks) AS number FROM failing) GROUP BY 1',
      )
    ).map(({ number, rows }) => [number, rows]),
  );
  const results: CheckResult[] = [];
  for (const [at, expectation] of expectations.entries()) {
    const rowsFailed = failed.get(at) ?? 0;
    const examples = rowsFailed > 0 ? await readExamples(connection, expectation, at) : [];
    results.push(judgeRows(expectation, applied?.[`a${at}`] ?? 0, rowsFailed, examples));
  }
  return results;
}

async function readExamples(connection: DuckDBConnection, expectation: RowExpectation, at: number): Promise<string[]> {
  const shown = columnsOf(expectation).map(
    (name) => `left(coalesce(CAST(${quoteIdentifier(name)} AS VARCHAR), 'null'), 80)`,
  );
  const rows = await queryRows<{ value: string }>(
    connection,
    `SELECT concat_ws(', ', ${shown.join(', ')}) AS value FROM data JOIN failing USING (_row) WHERE list_contains(checks, ${at})
     GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ${EXAMPLES}`,
  );
  return rows.map(({ value }) => value);
}

function judgeRows(expectation: RowExpectation, checked: number, failed: number, examples: string[]): CheckResult {
  const share = checked === 0 ? 1 : 1 - failed / checked;
  const { severity, mostly } = expectation;
  const asked = mostly < 1 ? `, and ${mostly} must` : '';
  return {
    name: checkName(expectation),
    expectation,
    severity,
    // Counted, not compared as shares: 1 - 1/3 is not 2/3.
    status: failed <= (1 - mostly) * checked + 1e-9 ? 'passed' : 'failed',
    message: failed === 0 ? `all ${checked} rows hold` : `${failed} of ${checked} rows do not hold${asked}`,
    rows_checked: checked,
    rows_failed: failed,
    share,
    ...(examples.length > 0 ? { examples } : {}),
  };
}

/** Writes the first failing rows with every reason, as the quarantine of an ingestion has them. @returns how many rows fail */
export async function writeFailingRows(
  connection: DuckDBConnection,
  columns: readonly string[],
  reasons: readonly string[],
  file: string,
): Promise<number> {
  const [counted] = await queryRows<{ rows: number }>(connection, 'SELECT count(*) AS rows FROM failing');
  const texts = `[${reasons.map(quoteText).join(', ')}]`;
  const cells = columns.map((name) => `${quoteIdentifier(name)} := data.${quoteIdentifier(name)}`).join(', ');
  await connection.run(
    `COPY (SELECT _row AS row_number, list_transform(checks, lambda number: CAST(${texts} AS VARCHAR[])[number + 1]) AS reasons,
       CAST(to_json(struct_pack(${cells})) AS VARCHAR) AS content
     FROM data JOIN (SELECT * FROM failing ORDER BY _row LIMIT ${MOST_KEPT_ROWS}) AS kept USING (_row) ORDER BY _row)
     TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  return counted?.rows ?? 0;
}
