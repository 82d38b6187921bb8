import { join } from 'node:path';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng, shuffle } from '../../../ml/random/prng.js';
import { queryColumns, quoteIdentifier, quoteText, withDuckDb } from '../../duckdb.js';
import { filesOfPlan, stageTable, writeSelection } from '../../training/select-rows.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import { columnOf, settingsOf } from './plan.js';

/** Fewer rows cannot say what is one in a hundred. */
const LEAST_ROWS = 200;
const LABEL_COLUMN = '_label';
const ENTITY_COLUMN = '_entity';
const TIME_COLUMN = '_time';

/** Writes the features, and the names of known anomalies, to the table of the run. */
export function buildAnomalyTable(
  plan: TrainingPlan,
  folders: { datasets: string; staging: string },
): Promise<{ rows: number }> {
  const settings = settingsOf(plan);
  const columns = plan.features.map(
    (feature) => `CAST(${quoteIdentifier(columnOf(settings, feature))} AS DOUBLE) AS ${quoteIdentifier(feature)}`,
  );
  const label = settings.label ? `CAST(${quoteIdentifier(settings.label)} AS VARCHAR)` : 'NULL';
  const entity = plan.entity ? `CAST(${quoteIdentifier(plan.entity)} AS VARCHAR)` : 'NULL';
  const time = plan.timestamp
    ? `CAST(epoch_ms(TRY_CAST(${quoteIdentifier(plan.timestamp)} AS TIMESTAMP)) AS DOUBLE)`
    : 'NULL';
  return stageTable(folders.staging, LEAST_ROWS, async (connection, file) =>
    writeSelection(connection, plan, await filesOfPlan(plan, folders), file, {
      columns: [
        `${label} AS ${quoteIdentifier(LABEL_COLUMN)}`,
        `${entity} AS ${quoteIdentifier(ENTITY_COLUMN)}`,
        `${time} AS ${quoteIdentifier(TIME_COLUMN)}`,
        ...columns,
      ],
    }),
  );
}

/** The rows of a run, parted once and for all steps alike. */
export interface AnomalyTable {
  /** Normal rows to learn from, to calibrate with, and to measure the false alarms on. */
  fitting: FeatureMatrix;
  calibration: FeatureMatrix;
  holdout: FeatureMatrix;
  /** Rows that are known to be anomalies, with their names. */
  known: FeatureMatrix;
  labels: string[];
  /** The same rows by entity and time; none without a column of times. */
  series: MeasuredSeries[];
}

/** What was measured of one entity, oldest first. */
export interface MeasuredSeries {
  name: string;
  times: Float64Array;
  /** By feature. */
  values: Float64Array[];
  /** The names of known anomalies. */
  labels: (string | null)[];
}

const CALIBRATION_SHARE = 0.25;

/** Reads the staged table and parts it by the plan's seed. */
export async function readAnomalyTable(plan: TrainingPlan, staging: string): Promise<AnomalyTable> {
  const columns = await withDuckDb((connection) =>
    queryColumns(connection, `SELECT * FROM read_parquet(${quoteText(join(staging, STAGED.table))})`),
  );
  const byName = new Map(columns.map((column) => [column.name, column.values]));
  const labels = byName.get(LABEL_COLUMN) ?? [];
  const values = plan.features.map((feature) =>
    Float64Array.from(byName.get(feature) ?? [], (value) => (typeof value === 'number' ? value : NaN)),
  );
  const take = (rows: readonly number[]): FeatureMatrix => {
    const matrix = new Float64Array(rows.length * values.length);
    values.forEach((column, at) => rows.forEach((row, to) => (matrix[at * rows.length + to] = column[row]!)));
    return { rows: rows.length, columns: values.length, values: matrix };
  };
  const normal: number[] = [];
  const odd: number[] = [];
  labels.forEach((name, row) => (name === null ? normal : odd).push(row));
  shuffle(normal, createPrng(plan.seed, 0x616e6f6d));
  const held = Math.floor(normal.length * plan.validationSplit);
  const calibrating = Math.floor(normal.length * CALIBRATION_SHARE);
  return {
    holdout: take(normal.slice(0, held)),
    calibration: take(normal.slice(held, held + calibrating)),
    fitting: take(normal.slice(held + calibrating)),
    known: take(odd),
    labels: odd.map((row) => String(labels[row])),
    series: partSeries({
      entities: byName.get(ENTITY_COLUMN) ?? [],
      times: byName.get(TIME_COLUMN) ?? [],
      labels,
      values,
    }),
  };
}

/** Known anomalies in two halves: one that a search may look at, and one that it may not. */
export function partKnown(
  { known, labels }: Pick<AnomalyTable, 'known' | 'labels'>,
  seed: number,
): { searched: FeatureMatrix; judged: FeatureMatrix; judgedLabels: string[] } {
  const order = shuffle(
    Array.from({ length: known.rows }, (_, row) => row),
    createPrng(seed, 0x6b6e6f77),
  );
  const parts = [order.slice(0, order.length >> 1), order.slice(order.length >> 1)].map((part) =>
    Uint32Array.from(part).sort(),
  );
  const [searched, judged] = parts as [Uint32Array, Uint32Array];
  return {
    searched: takeRows(known, searched),
    judged: takeRows(known, judged),
    judgedLabels: Array.from(judged, (row) => labels[row]!),
  };
}

function partSeries(table: {
  entities: readonly unknown[];
  times: readonly unknown[];
  labels: readonly unknown[];
  values: readonly Float64Array[];
}): MeasuredSeries[] {
  const rowsOf = new Map<string, number[]>();
  table.times.forEach((time, row) => {
    if (typeof time !== 'number') return;
    const name = String(table.entities[row] ?? 'all');
    const rows = rowsOf.get(name) ?? [];
    rowsOf.set(name, rows);
    rows.push(row);
  });
  const timeOf = (row: number): number => table.times[row] as number;
  return [...rowsOf]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, rows]) => {
      rows.sort((a, b) => timeOf(a) - timeOf(b) || a - b);
      return {
        name,
        times: Float64Array.from(rows, timeOf),
        values: table.values.map((column) => Float64Array.from(rows, (row) => column[row]!)),
        labels: rows.map((row) => (table.labels[row] === null ? null : String(table.labels[row]))),
      };
    });
}
