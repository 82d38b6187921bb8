import { join } from 'node:path';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng, shuffle } from '../../../ml/random/prng.js';
import { queryColumns, quoteIdentifier, quoteText, withDuckDb } from '../../duckdb.js';
import { datasetFile, stageTable, writeSelection } from '../../training/select-rows.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import { columnOf, settingsOf } from './plan.js';

/** Fewer rows cannot say what is one in a hundred. */
const LEAST_ROWS = 200;
const LABEL_COLUMN = '_label';

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
  return stageTable(folders.staging, LEAST_ROWS, (connection, file) =>
    writeSelection(connection, plan, datasetFile(plan, folders), file, {
      columns: [`${label} AS ${quoteIdentifier(LABEL_COLUMN)}`, ...columns],
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
  };
}
