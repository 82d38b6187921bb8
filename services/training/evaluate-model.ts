import { join } from 'node:path';
import { judgePromotion, type PromotionVerdict, type SkillEvidence } from '../../core/policy/promotion.js';
import { decodeForest } from '../../ml/ensemble/forest-format.js';
import type { RandomForest } from '../../ml/ensemble/random-forest.js';
import {
  compareToBaseline,
  evaluateClassification,
  evaluateRegression,
  type MetricEstimate,
} from '../../ml/evaluate/metrics.js';
import { encodeTable } from '../../ml/preprocess/table-encoder.js';
import { sha256, type GoldenRow } from '../artifacts/model-bundle.js';
import { predictCalibrated } from './cross-validate-model.js';
import type { FitResult } from './fit-model.js';
import { takeRows } from './fit-forest.js';
import { readStaged, readStagedJson, writeStaged } from '../storage/staged-file.js';
import { STAGED, type TrainingPlan } from './training-plan.js';
import { readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

export interface Evaluation {
  metrics: Record<string, Record<string, MetricEstimate>>;
  verdict: PromotionVerdict;
  trainingRows: number;
  holdoutRows: number;
}

/** Rows whose answers are stored with the version, so that every later load can be held to them. */
const GOLDEN_ROWS = 16;

/** Judges the fitted heads on the held-out rows, and writes down golden answers. */
export async function evaluateModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: (share: number, detail: string) => void,
): Promise<Evaluation> {
  const table = await readTrainingTable(plan, staging);
  const fit = await readStagedJson<FitResult>(join(staging, STAGED.fit));
  const x = encodeTable(fit.encoder, table.features);
  const metrics: Evaluation['metrics'] = {};
  const evidence: SkillEvidence[] = [];
  const forests = new Map<string, RandomForest>();
  for (const [index, target] of table.targets.entries()) {
    const head = fit.heads[index]!;
    forests.set(head.name, await readForest(join(staging, STAGED.forest(head.name)), head.sha256));
    const rows = rowsOf(target, (row) => table.isHeldOut[row] === 1);
    const answers = predictCalibrated(
      { forest: forests.get(head.name)!, calibration: head.calibration },
      takeRows(x, rows),
      Math.max(1, target.classes.length),
    );
    metrics[head.name] = measure(plan, target, rows, answers, head.interval);
    evidence.push(compareWithBase(plan, table, target, rows, answers));
    onProgress((index + 1) / table.targets.length, head.name);
  }
  await writeStaged(join(staging, STAGED.golden), JSON.stringify(goldenRows(table, fit, forests)));
  const holdoutRows = table.isHeldOut.reduce((sum, held) => sum + held, 0);
  const evaluation: Evaluation = {
    metrics,
    verdict: judgePromotion(evidence),
    trainingRows: fit.trainingRows,
    holdoutRows,
  };
  await writeStaged(join(staging, STAGED.evaluation), JSON.stringify(evaluation));
  return evaluation;
}

async function readForest(path: string, digest: string): Promise<RandomForest> {
  const bytes = await readStaged(path);
  if (!bytes || sha256(bytes) !== digest) throw new Error(`${path} is missing or was changed since the fit.`);
  return decodeForest(bytes);
}

function measure(
  plan: TrainingPlan,
  target: HeadTarget,
  rows: Uint32Array,
  answers: Float64Array,
  interval?: { level: number; halfWidth: number },
) {
  const { seed } = plan.hyperparameters;
  const truths = Float64Array.from(rows, (row) => target.y[row]!);
  if (target.head.task !== 'regression')
    return evaluateClassification({ probabilities: answers, labels: truths, classes: target.classes.length, seed });
  const metrics = evaluateRegression({ predictions: answers, targets: truths, seed });
  if (interval) {
    const inside = truths.filter((truth, at) => Math.abs(truth - answers[at]!) <= interval.halfWidth).length;
    metrics['coverage'] = {
      value: rows.length > 0 ? inside / rows.length : null,
      lower: null,
      upper: null,
      rows: rows.length,
    };
  }
  return metrics;
}

/** The paired comparison with base rate or median, one number an entity: many rows of one entity are one witness. */
function compareWithBase(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  rows: Uint32Array,
  answers: Float64Array,
): SkillEvidence {
  const training = rowsOf(target, (row) => table.isHeldOut[row] === 0);
  const loss = target.head.task === 'regression' ? absoluteErrors(target, training) : logLosses(target, training);
  const sums = new Map<number, { model: number; base: number; rows: number }>();
  rows.forEach((row, at) => {
    const sum = sums.get(table.groups[row]!) ?? { model: 0, base: 0, rows: 0 };
    const { model, base } = loss(target.y[row]!, at, answers);
    sums.set(table.groups[row]!, { model: sum.model + model, base: sum.base + base, rows: sum.rows + 1 });
  });
  const entities = [...sums.values()];
  const losses = Float64Array.from(entities, (sum) => sum.model / sum.rows);
  const baselineLosses = Float64Array.from(entities, (sum) => sum.base / sum.rows);
  const { difference, lower, upper } = compareToBaseline({ losses, baselineLosses, seed: plan.hyperparameters.seed });
  return {
    head: target.head.name,
    loss: target.head.task === 'regression' ? 'absolute_error' : 'log_loss',
    difference,
    lower,
    upper,
    entities: entities.length,
  };
}

type Loss = (truth: number, at: number, answers: Float64Array) => { model: number; base: number };

function logLosses(target: HeadTarget, training: Uint32Array): Loss {
  const classes = target.classes.length;
  const counts = new Float64Array(classes).fill(1);
  for (const row of training) counts[target.y[row]!]!++;
  const bits = (probability: number) => -Math.log(Math.max(1e-15, probability));
  return (truth, at, answers) => ({
    model: bits(answers[at * classes + truth]!),
    base: bits(counts[truth]! / (training.length + classes)),
  });
}

function absoluteErrors(target: HeadTarget, training: Uint32Array): Loss {
  const sorted = Float64Array.from(training, (row) => target.y[row]!).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return (truth, at, answers) => ({ model: Math.abs(truth - answers[at]!), base: Math.abs(truth - median) });
}

function goldenRows(table: TrainingTable, fit: FitResult, forests: ReadonlyMap<string, RandomForest>): GoldenRow[] {
  const step = Math.max(1, Math.floor(table.rows / GOLDEN_ROWS));
  const rows = Uint32Array.from({ length: Math.min(GOLDEN_ROWS, table.rows) }, (_, index) =>
    Math.min(table.rows - 1, index * step),
  );
  const x = takeRows(encodeTable(fit.encoder, table.features), rows);
  const answers = new Map(
    fit.heads.map((head) => [
      head.name,
      predictCalibrated(
        { forest: forests.get(head.name)!, calibration: head.calibration },
        x,
        Math.max(1, head.classes.length),
      ),
    ]),
  );
  return [...rows].map((row, index) => ({
    features: Object.fromEntries(table.features.map((column) => [column.name, plainValue(column.values[row])])),
    outputs: Object.fromEntries(
      fit.heads.map((head) => [
        head.name,
        [
          ...answers
            .get(head.name)!
            .subarray(index * Math.max(1, head.classes.length), (index + 1) * Math.max(1, head.classes.length)),
        ],
      ]),
    ),
  }));
}

function plainValue(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? value : String(value);
}
