/**
 * What the linear models reach on real tables beside the best usual library (scikit-learn, on the same folds), as JSON lines.
 *
 * Run: node dist/bench/linear-tables.js     DATA_DIR has the data sets (default ../shared/data)
 */
import { takeRows } from '../ml/matrix.js';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { evaluateClassification, evaluateRegression } from '../ml/evaluate/metrics.js';
import { defaultLinearParameters, fitLinear, predictLinear } from '../ml/linear/fit-linear.js';
import type { LinearParameters, LinearTask } from '../ml/linear/fit-linear.js';
import { encodeTable, fitTableEncoder } from '../ml/preprocess/table-encoder.js';
import type { RawColumn } from '../ml/preprocess/table-encoder.js';

export interface LinearFigure {
  set: string;
  figure: string;
  ours: number;
  peer: number;
}

export const dataDir = resolve(process.env['DATA_DIR'] ?? '../shared/data');

/** Columns of a comma-separated table without quotes. */
function readColumns(file: string): RawColumn[] {
  const bytes = readFileSync(join(dataDir, file));
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const [header, ...lines] = text.trim().split(/\r?\n/);
  const cells = lines.map((line) => line.split(','));
  return header!.split(',').map((name, column) => ({ name, values: cells.map((row) => row[column]) }));
}

function foldOf(row: number): number {
  return (Number((BigInt(row) * 2654435761n) % 4294967296n) % 5) | 0;
}

/** Predicts each row by a model of the other folds: encoder, design and penalty see training rows only. */
function crossPredict(
  columns: RawColumn[],
  y: Float64Array,
  task: LinearTask,
  parameters: LinearParameters,
  codes: readonly string[] = [],
): Float64Array {
  const types = Object.fromEntries(codes.map((name) => [name, 'category' as const]));
  const outputs = task.kind === 'classification' ? task.classes : 1;
  const predictions = new Float64Array(y.length * outputs);
  for (let fold = 0; fold < 5; fold++) {
    const training = Uint32Array.from(y.keys()).filter((row) => foldOf(row) !== fold);
    const held = Uint32Array.from(y.keys()).filter((row) => foldOf(row) === fold);
    const encoder = fitTableEncoder(columns, training, { types });
    const x = encodeTable(encoder, columns);
    const categorical = encoder.features.filter(({ type }) => type === 'category').map(({ start }) => start);
    const targets = Float64Array.from(training, (row) => y[row]!);
    const model = fitLinear({ x: takeRows(x, training), y: targets, task, categorical, parameters });
    const answers = predictLinear(model, takeRows(x, held));
    held.forEach((row, i) => {
      for (let o = 0; o < outputs; o++) predictions[row * outputs + o] = answers[i * outputs + o]!;
    });
  }
  return predictions;
}

const valuesOf = (columns: RawColumn[], name: string): readonly unknown[] =>
  columns.find((column) => column.name === name)!.values;
const without = (columns: RawColumn[], ...names: string[]): RawColumn[] =>
  columns.filter(({ name }) => !names.includes(name));

export function measureTelco(): LinearFigure[] {
  const columns = readColumns('telco_churn.csv.gz');
  const labels = Float64Array.from(valuesOf(columns, 'Churn'), (value) => (value === 'Yes' ? 1 : 0));
  const features = without(columns, 'customerID', 'Churn');
  const task = { kind: 'classification', classes: 2 } as const;
  const probabilities = crossPredict(features, labels, task, defaultLinearParameters());
  const metrics = evaluateClassification({ probabilities, labels, classes: 2, seed: 0 });
  const figure = (name: string, peer: number): LinearFigure => ({
    set: 'telco_churn',
    figure: name,
    ours: metrics[name]!.value!,
    peer,
  });
  return [figure('roc_auc', 0.8451), figure('accuracy', 0.8028), figure('log_loss', 0.4173), figure('brier', 0.1355)];
}

/** Months of software projects from what is known at their start. */
export function measureDurations(): LinearFigure[] {
  const sets = [
    { name: 'desharnais', target: 'Length', late: ['Project', 'Effort', 'Length'], codes: ['Language'], peer: 4.2781 },
    { name: 'maxwell', target: 'Duration', late: ['Effort', 'Time', 'Duration'], codes: [], peer: 6.9259 },
  ];
  return sets.map(({ name, target, late, codes, peer }) => {
    const columns = readColumns(`software_projects/${name}.csv`);
    const targets = Float64Array.from(valuesOf(columns, target), Number);
    const parameters = { ...defaultLinearParameters(), logTarget: 'median' } as const;
    const predictions = crossPredict(without(columns, ...late), targets, { kind: 'regression' }, parameters, codes);
    const { mae } = evaluateRegression({ predictions, targets, seed: 0 });
    return { set: name, figure: 'mae', ours: mae!.value!, peer };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(dataDir)) throw new Error(`there is no folder ${dataDir}: set DATA_DIR to the data sets`);
  for (const figure of [...measureTelco(), ...measureDurations()]) console.log(JSON.stringify(figure));
}
