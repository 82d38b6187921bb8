import type { DuckDBConnection } from '@duckdb/node-api';
import type { Period } from '../../core/monitoring/choose-reference.js';
import type { Finding } from '../../core/monitoring/finding.js';
import type { ColumnExpectation } from '../../core/schemas/model-config.js';
import { queryRows, quoteText } from '../duckdb.js';
import type { ModelsConfig } from '../training/models-config.js';
import type { DriftSubject } from './drift-subject.js';
import { cellName } from './lay-out-cells.js';
import { isNoNumber, numberCell } from './read-samples.js';
import type { WatchedColumn } from './watched-columns.js';

export interface SchemaViolation {
  column: string;
  violation: 'wrong_type' | 'below_minimum' | 'above_maximum' | 'not_allowed' | 'missing';
  rows: number;
  share: number;
}

/** From this share of the rows on someone has to look. */
const ALARM_SHARE = 0.01;
const ALARM_ROWS = 5;

/** Whether the rows of the window are of the shape that the model and its data type ask for. */
export async function judgeSchema(
  connection: DuckDBConnection,
  {
    subject,
    window,
    columns,
    dataTypes: { models, dataTypes },
  }: { subject: DriftSubject; window: Period; columns: readonly WatchedColumn[]; dataTypes: ModelsConfig },
): Promise<Finding[]> {
  const inputs = columns.filter(({ group }) => group === 'inputs');
  if (inputs.length === 0) return [];
  const expected = dataTypes.get(models.get(subject.model)?.source ?? '')?.columns ?? {};
  const checks = inputs.flatMap((column) => checksOf(column, cellName(column, columns), expected[column.name]));
  const counts = checks.map(({ condition }, at) => `count(*) FILTER (${condition}) AS n${at}`);
  const [found] = await queryRows<Record<string, number>>(
    connection,
    `SELECT ${['count(*) AS rows', ...counts].join(', ')} FROM current_inputs`,
  );
  const rows = found?.['rows'] ?? 0;
  const violations = checks
    .map(({ column, violation }, at): SchemaViolation => {
      const hits = found?.[`n${at}`] ?? 0;
      return { column, violation, rows: hits, share: hits / Math.max(1, rows) };
    })
    .filter((one) => one.rows > 0)
    .sort((a, b) => b.rows - a.rows);
  const worst = violations[0];
  const isAlarm = worst !== undefined && worst.rows >= ALARM_ROWS && worst.share >= ALARM_SHARE;
  return [
    {
      model: subject.model,
      version: subject.version,
      monitor: 'data_quality',
      subject: 'schema',
      segment: '',
      window,
      state: isAlarm ? 'alarm' : worst ? 'suspect' : 'ok',
      severity: isAlarm ? (worst.share >= 0.2 ? 'high' : 'medium') : 'none',
      value: worst?.share ?? 0,
      threshold: ALARM_SHARE,
      summary: worst
        ? `${worst.column}: ${worst.rows} of ${rows} rows ${SENTENCES[worst.violation]}${violations.length > 1 ? `, and ${violations.length - 1} more kinds of violations` : ''}. Have it mended where the data comes from.`
        : `All ${rows} rows are of the shape that the model asks for.`,
      evidence: { rows, violations, rule: { alarm_share: ALARM_SHARE, alarm_rows: ALARM_ROWS } },
    },
  ];
}

const SENTENCES: Record<SchemaViolation['violation'], string> = {
  wrong_type: 'hold no number',
  below_minimum: 'are below the declared minimum',
  above_maximum: 'are above the declared maximum',
  not_allowed: 'have a value that is not among the declared ones',
  missing: 'lack a value that is declared as required',
};

function checksOf(
  { name, kind }: WatchedColumn,
  cell: string,
  { minimum, maximum, values, required }: Partial<ColumnExpectation> = {},
) {
  const check = (violation: SchemaViolation['violation'], condition: string) => ({
    column: name,
    violation,
    condition,
  });
  return [
    ...(kind === 'number' ? [check('wrong_type', isNoNumber(cell))] : []),
    ...(minimum === undefined ? [] : [check('below_minimum', `${numberCell(cell)} < ${minimum}`)]),
    ...(maximum === undefined ? [] : [check('above_maximum', `${numberCell(cell)} > ${maximum}`)]),
    ...(values
      ? [check('not_allowed', `${cell} NOT IN (${values.map((value) => quoteText(String(value))).join(', ')})`)]
      : []),
    ...(required ? [check('missing', `${cell} IS NULL`)] : []),
  ];
}
