import {
  compareToBaseline,
  evaluateClassification,
  evaluateRegression,
  type MetricEstimate,
} from '../../ml/evaluate/metrics.js';
import { createPrng } from '../../ml/random/prng.js';
import { encodeLabels, fitLabelEncoder } from '../../ml/preprocess/label-encoder.js';
import { queryColumns, withDuckDb } from '../../services/duckdb.js';
import { predictFolds } from '../../services/kinds/tabular/cross-validate-model.js';
import type { HeadTarget, TrainingTable } from '../../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../../services/training/training-plan.js';
import type { AccuracyRow } from './accuracy-row.js';
import { bestPeer, readBaselines, type Baseline } from './baselines.js';
import { TABLE_SETS, type TableSet } from './table-sets.js';

const SEED = 42;
const LATER_SHARE = 0.3;
const DRAWS = 200;

/**
 * Trains the table recipe on each real table with the split of the peers and compares it with the best of them.
 * @param options.algorithm `auto` for the service's own choice, which is what counts
 */
export async function measureTables(
  dataDir: string,
  options: {
    algorithm?: string;
    hyperparameters?: Record<string, unknown>;
    only?: string;
    onRows: (rows: readonly AccuracyRow[]) => void;
  },
): Promise<AccuracyRow[]> {
  const baselines = readBaselines(dataDir);
  const rows: AccuracyRow[] = [];
  for (const set of TABLE_SETS) {
    if (options.only && !set.name.includes(options.only)) continue;
    const measured = await measureSet(dataDir, set, options.algorithm ?? 'auto', options.hyperparameters);
    const compared = set.isHopeless ? [refusal(set, measured.hasSkill === true)] : compare(set, measured, baselines);
    options.onRows(compared);
    rows.push(...compared);
  }
  return rows;
}

async function measureSet(dataDir: string, set: TableSet, algorithm: string, hyperparameters = {}) {
  const columns = await withDuckDb((connection) => queryColumns(connection, set.sql(dataDir)));
  const truth = columns.find((column) => column.name === 'target')!.values;
  const features = columns.filter((column) => column.name !== 'target');
  const rows = truth.length;
  const target = readTarget(set, truth);
  const { folds, isInTime } = splitOf(set, columns, rows);
  const table: TrainingTable = {
    rows,
    features,
    groups: Int32Array.from({ length: rows }, (_, row) => row),
    units: Float64Array.from({ length: rows }, (_, row) => row),
    targets: [target],
    isHeldOut: new Uint8Array(rows),
    isInTime,
  };
  const plan = {
    model: set.name,
    datasetId: set.name,
    kind: set.task,
    algorithm,
    hyperparameters: { seed: SEED, ...hyperparameters },
    seed: SEED,
    features: features.map((column) => column.name),
    heads: [target.head],
    settings: { split: isInTime ? 'time' : 'random' },
  } as unknown as TrainingPlan;
  const usable = Uint32Array.from({ length: rows }, (_, row) => row);
  const answers = await predictFolds(plan, table, target, usable, folds, () => {});
  const judged = [...folds.keys()].filter((row) => folds[row]! >= 0);
  const truths = Float64Array.from(judged, (row) => target.y[row]!);
  if (set.task === 'regression') {
    const predictions = Float64Array.from(judged, (row) => answers[row]!);
    return {
      metrics: evaluateRegression({ predictions, targets: truths, seed: SEED }),
      ece: undefined,
      eceByChance: undefined,
      hasSkill: undefined,
    };
  }
  const probabilities = Float64Array.from(judged.flatMap((row) => [answers[2 * row]!, answers[2 * row + 1]!]));
  const positive = Float64Array.from(judged, (row) => answers[2 * row + 1]!);
  return {
    metrics: evaluateClassification({ probabilities, labels: truths, classes: 2, seed: SEED }),
    ece: positiveCalibrationError(positive, truths),
    eceByChance: eceByChance(positive),
    hasSkill: hasSkill(positive, truths),
  };
}

function readTarget(set: TableSet, truth: readonly unknown[]): HeadTarget {
  if (set.task === 'regression')
    return {
      head: { name: 'value', column: 'target', task: 'regression' },
      y: Float64Array.from(truth, Number),
      classes: [],
    };
  const encoder = fitLabelEncoder(truth);
  const labels = encodeLabels(encoder, truth);
  return {
    head: { name: 'label', column: 'target', task: 'multiclass' },
    y: Float64Array.from(labels),
    classes: encoder.classes,
  };
}

/** The folds that the peers had: row i is in fold (i x 2654435761 mod 2^32) mod 5; -1 for rows that are only learned from. */
function splitOf(set: TableSet, columns: readonly { name: string; values: readonly unknown[] }[], rows: number) {
  if (set.split === 'folds')
    return {
      folds: Int32Array.from({ length: rows }, (_, row) => (Math.imul(row, 2_654_435_761) >>> 0) % 5),
      isInTime: false,
    };
  const term = columns.find((column) => column.name === set.laterColumn)?.values;
  if (term) return { folds: Int32Array.from(term, (value) => (value === '2014J' ? 0 : -1)), isInTime: false };
  const first = Math.floor(rows * (1 - LATER_SHARE));
  return { folds: Int32Array.from({ length: rows }, (_, row) => (row >= first ? 0 : -1)), isInTime: true };
}

/** Over ten equally wide bins of the probability of the second class, as the peers' script computes it. */
function positiveCalibrationError(positive: Float64Array, truths: Float64Array): number {
  const sums = Array.from({ length: 10 }, () => ({ p: 0, y: 0 }));
  positive.forEach((p, at) => {
    const bin = sums[Math.min(9, Math.floor(p * 10))]!;
    bin.p += p;
    bin.y += truths[at]!;
  });
  return sums.reduce((total, bin) => total + Math.abs(bin.p - bin.y), 0) / positive.length;
}

/** What that error comes to by chance where every probability is exactly right: the more the answers differ and the fewer the rows, the more. */
function eceByChance(positive: Float64Array): number {
  const prng = createPrng(SEED);
  let sum = 0;
  for (let draw = 0; draw < DRAWS; draw++)
    sum += positiveCalibrationError(
      positive,
      positive.map((p) => (prng.next() < p ? 1 : 0)),
    );
  return sum / DRAWS;
}

/** Whether the model beats the base rate by more than chance, as a promotion asks. */
function hasSkill(positive: Float64Array, truths: Float64Array): boolean {
  const rate = truths.reduce((sum, truth) => sum + truth, 0) / truths.length;
  const loss = (p: number, truth: number) => -Math.log(Math.max(1e-15, truth === 1 ? p : 1 - p));
  const losses = truths.map((truth, at) => loss(positive[at]!, truth));
  const baselineLosses = truths.map((truth) => loss(rate, truth));
  return compareToBaseline({ losses, baselineLosses, seed: SEED }).lower > 0;
}

const refusal = (set: TableSet, isPromotable: boolean): AccuracyRow => ({
  set: set.name,
  task: set.task,
  metric: 'promotable',
  ours: Number(isPromotable),
  standardError: 0,
  peer: 'none has skill',
  peerValue: 0,
  higherIsBetter: false,
  limit: 0,
  note: 'there is nothing to learn: the right answer is to refuse',
});

const standardError = ({ lower, upper }: MetricEstimate) => ((upper ?? 0) - (lower ?? 0)) / (2 * 1.959964);

function compare(
  set: TableSet,
  { metrics, ece, eceByChance }: Awaited<ReturnType<typeof measureSet>>,
  baselines: readonly Baseline[],
): AccuracyRow[] {
  const row = (
    metric: string,
    key: string,
    figure: string,
    higherIsBetter: boolean,
    limit: (peer: number) => number,
  ) => {
    const { peer, value } = bestPeer(baselines, set.name, figure, higherIsBetter);
    const ours = metrics[key]!;
    return {
      set: set.name,
      task: set.task,
      metric,
      ours: ours.value ?? NaN,
      standardError: standardError(ours),
      peer,
      peerValue: value,
      higherIsBetter,
      limit: limit(value),
      ...(set.note ? { note: set.note } : {}),
    };
  };
  if (set.task === 'regression') return [row('mae', 'mae', 'mae', false, () => 0)];
  return [
    row('auc', 'roc_auc', 'auc', true, () => 0.003),
    row('log_loss', 'log_loss', 'log_loss', false, (peer) => 0.01 * peer),
    row('accuracy', 'accuracy', 'accuracy', true, () => 0),
    {
      // Later rows of a drifting set follow another law, which no model of the earlier ones can be calibrated for.
      ...row('ece', 'ece', 'ece', false, (peer) => (set.isDrifting ? 1 : Math.max(0, 0.02 - peer))),
      ours: ece!,
      note: `${eceByChance!.toFixed(3)} where each of these probabilities is right`,
    },
  ];
}
