import type { DuckDBConnection } from '@duckdb/node-api';
import type { Period } from '../../core/monitoring/choose-reference.js';
import type { Finding } from '../../core/monitoring/finding.js';
import { tellDomainsApart } from '../../ml/drift/domain-classifier.js';
import type { FeatureMatrix } from '../../ml/matrix.js';
import { queryColumns } from '../duckdb.js';
import type { KeptFinding } from '../monitors/monitor-findings.js';
import type { DriftSubject } from './drift-subject.js';
import { earlierSignals } from './earlier-signals.js';
import { cellName, frequentValues, layOutCells, type SideRows } from './lay-out-cells.js';
import { numberCell } from './read-samples.js';
import type { WatchedColumn } from './watched-columns.js';

const WEEK_MS = 604_800_000;
const SUBJECT = 'inputs';
/** Of each side; the classifier takes a second or two for so many. */
const MOST_ROWS = 5000;
/** Codes that the trees take for one column. */
const MOST_CATEGORIES = 250;
const CHANCE = 0.01;
/** Told apart less well than this it is of no consequence, however sure. */
const LEAST_AUC = 0.55;
const MOST_TOLD = 5;

/** The week that is due to be judged as a whole: once a week, and the same one again where a run is repeated. */
export function periodTogether(window: Period, earlier: readonly KeptFinding[]): Period | undefined {
  const isRecent = earlier.some(
    ({ subject, segment, state, window: { start, end } }) =>
      subject === SUBJECT &&
      segment === '' &&
      state !== 'unknown' &&
      Number(end) - Number(start) >= WEEK_MS &&
      Number(window.end) - Number(end) < WEEK_MS,
  );
  if (isRecent) return undefined;
  return { start: new Date(Math.min(Number(window.start), Number(window.end) - WEEK_MS)), end: window.end };
}

/** Whether a week of rows is told from the reference by all features together: it sees correlations that broke, which no column shows alone. */
export async function judgeTogether(
  connection: DuckDBConnection,
  found: {
    subject: DriftSubject;
    window: Period;
    columns: readonly WatchedColumn[];
    rows: SideRows;
    reference: SideRows;
    earlier: readonly KeptFinding[];
    leastRows: number;
  },
): Promise<Finding[]> {
  const inputs = found.columns.filter(({ group, kind }) => group === 'inputs' && kind !== 'presence');
  if (inputs.length < 2) return [];
  await layOutCells(connection, 'week', found.columns, { inputs: found.rows.inputs });
  const before = await layOutCells(connection, 'weeks', found.columns, { inputs: found.reference.inputs });
  const categories = new Map<string, string[]>();
  for (const column of inputs)
    if (column.kind === 'category')
      categories.set(
        column.name,
        await frequentValues(connection, before, cellName(column, found.columns), MOST_CATEGORIES),
      );
  const read = (side: string) => readMatrix(connection, side, inputs, found.columns, categories);
  const [reference, current] = [await read('weeks'), await read('week')];
  const isCategory = inputs.flatMap(({ kind }, at) => (kind === 'category' ? [at] : []));
  const told = tellDomainsApart(reference, current, { categorical: isCategory, seed: 1 });
  if (!told || current.rows < found.leastRows) return [];
  const isReported = told.p_value < CHANCE && told.roc_auc >= LEAST_AUC;
  const [last] = earlierSignals(found.earlier, found.window, 1, ({ subject, segment, window: { start, end } }) =>
    subject === SUBJECT && segment === '' && Number(end) - Number(start) >= WEEK_MS ? SUBJECT : undefined,
  );
  const isAlarm = isReported && (last?.reported.length ?? 0) > 0;
  const columns = told.columns.slice(0, MOST_TOLD).map(({ column, share }) => ({ name: inputs[column]!.name, share }));
  const names = columns.map(({ name }) => name).join(', ');
  const auc = Number(told.roc_auc.toPrecision(3));
  return [
    {
      model: found.subject.model,
      version: found.subject.version,
      monitor: 'drift',
      subject: SUBJECT,
      segment: '',
      window: found.window,
      state: isAlarm ? 'alarm' : isReported ? 'suspect' : 'ok',
      severity: isAlarm ? (told.roc_auc >= 0.75 ? 'high' : 'medium') : 'none',
      value: told.roc_auc,
      threshold: LEAST_AUC,
      summary: isReported
        ? `The week's rows are told from the reference by all features together (ROC AUC ${auc}), most of all by ${names}${isAlarm ? ', for the second week' : '; it takes a second week for an alarm'}.`
        : `The week's rows are not told from the reference by all features together (ROC AUC ${auc}).`,
      evidence: {
        tests: [{ test: 'domain_classifier', statistic: told.roc_auc, p_value: told.p_value }],
        columns,
        rows: current.rows,
        reference_rows: reference.rows,
        rule: { chance: CHANCE, least_roc_auc: LEAST_AUC, weeks: 2 },
      },
    },
  ];
}

async function readMatrix(
  connection: DuckDBConnection,
  side: string,
  inputs: readonly WatchedColumn[],
  columns: readonly WatchedColumn[],
  categories: ReadonlyMap<string, string[]>,
): Promise<FeatureMatrix> {
  const cells = inputs.map((column) => {
    const cell = cellName(column, columns);
    return column.kind === 'number' ? numberCell(cell) : cell;
  });
  const table = `${side}_inputs`;
  const found = await queryColumns(
    connection,
    `SELECT ${cells.join(', ')} FROM ${table} ORDER BY hash(rowid) LIMIT ${MOST_ROWS}`,
  );
  const rows = found[0]?.values.length ?? 0;
  const values = new Float64Array(rows * inputs.length).fill(NaN);
  found.forEach(({ values: own }, at) => {
    const codes = new Map(categories.get(inputs[at]!.name)?.map((value, code) => [value, code]));
    const isNumber = inputs[at]!.kind === 'number';
    own.forEach((value, row) => {
      if (value === null || value === undefined) return;
      values[at * rows + row] = isNumber ? Number(value) : (codes.get(value as string) ?? MOST_CATEGORIES + 1);
    });
  });
  return { rows, columns: inputs.length, values };
}
