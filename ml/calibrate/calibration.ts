import { assignFolds } from '../evaluate/folds.js';
import { applyIsotonic, fitIsotonic } from './isotonic.js';
import type { IsotonicCurve } from './isotonic.js';
import { applyPlatt, fitPlatt } from './platt.js';
import type { PlattCurve } from './platt.js';

/** The curve that corrects the probability of one class. */
export type CalibrationCurve =
  { method: 'identity' } | ({ method: 'platt' } & PlattCurve) | ({ method: 'isotonic' } & IsotonicCurve);

/** How a model's probabilities are corrected; plain JSON. */
export interface Calibration {
  classes: number;
  /** One curve (of the second class) where there are two classes, otherwise one a class. */
  curves: CalibrationCurve[];
  /** Rows it was fitted on. */
  rows: number;
  /** Cross-validated log loss of each method, averaged over the curves. */
  logLoss: { identity: number; platt: number; isotonic: number };
}

type Method = CalibrationCurve['method'];
const FOLDS = 5;
/** One-sided 2.5 %: a method that is only as good as none is taken about once in 40 times. */
const LEAST_Z = 1.96;
/** Fewer rows of either kind than this cannot tell one curve from another. */
const LEAST_ROWS_A_KIND = 20;

/**
 * Chooses and fits a correction, class by class against the rest: Platt's logistic curve on the logit, an isotonic curve, or
 * none. By 5-fold cross-validated log loss, and none unless another is better by more than chance (a paired z-test).
 * @param probabilities `[row * classes + class]` of rows the model was not fitted on (held out or out of bag)
 * @param labels class numbers
 */
export function fitCalibration(
  probabilities: Float64Array,
  labels: Float64Array,
  classes: number,
  options: { seed: number },
): Calibration {
  const rows = labels.length;
  if (probabilities.length !== rows * classes) {
    throw new RangeError(
      `${rows} rows of ${classes} classes need ${rows * classes} probabilities, got ${probabilities.length}`,
    );
  }
  const curves: CalibrationCurve[] = [];
  const logLoss = { identity: 0, platt: 0, isotonic: 0 };
  const corrected = classes === 2 ? [1] : Array.from({ length: classes }, (_, c) => c);
  for (const c of corrected) {
    const stated = Float64Array.from({ length: rows }, (_, row) => probabilities[row * classes + c]!);
    const outcomes = Uint8Array.from(labels, (label) => (label === c ? 1 : 0));
    const losses = crossValidate(stated, outcomes, options.seed);
    for (const method of METHODS) logLoss[method] += mean(losses[method]) / corrected.length;
    curves.push(fitCurve(chooseMethod(losses), stated, outcomes));
  }
  return { classes, curves, rows, logLoss };
}

const METHODS = ['identity', 'platt', 'isotonic'] as const;

type Losses = Record<Method, Float64Array>;

/** The loss of each row under curves that were fitted without it. */
function crossValidate(stated: Float64Array, outcomes: Uint8Array, seed: number): Losses {
  const rows = stated.length;
  const positives = outcomes.reduce((sum, outcome) => sum + outcome, 0);
  const losses: Losses = {
    identity: new Float64Array(rows),
    platt: new Float64Array(rows),
    isotonic: new Float64Array(rows),
  };
  if (Math.min(positives, rows - positives) < LEAST_ROWS_A_KIND) {
    for (let row = 0; row < rows; row++) {
      losses.identity[row] = rowLoss(stated[row]!, outcomes[row]!);
      losses.platt[row] = losses.identity[row]!;
      losses.isotonic[row] = losses.identity[row]!;
    }
    return losses;
  }
  const folds = assignFolds(rows, FOLDS, { seed, labels: outcomes });
  for (let fold = 0; fold < FOLDS; fold++) {
    const isTraining = (_: number, row: number): boolean => folds[row] !== fold;
    const trainStated = stated.filter(isTraining);
    const trainOutcomes = outcomes.filter(isTraining);
    for (const method of METHODS) {
      const curve = fitCurve(method, trainStated, trainOutcomes);
      for (let row = 0; row < rows; row++) {
        if (folds[row] === fold) losses[method][row] = rowLoss(applyCurve(curve, stated[row]!), outcomes[row]!);
      }
    }
  }
  return losses;
}

/** No probability below a thousandth of a percent is held against a method: the cut is the same for all. */
function rowLoss(probability: number, outcome: number): number {
  const p = Math.min(1 - 1e-5, Math.max(1e-5, probability));
  return outcome === 1 ? -Math.log(p) : -Math.log(1 - p);
}

function chooseMethod(losses: Losses): Method {
  let chosen: Method = 'identity';
  for (const method of ['platt', 'isotonic'] as const) {
    if (
      isBetter(losses.identity, losses[method]) &&
      (chosen === 'identity' || isBetter(losses[chosen], losses[method]))
    )
      chosen = method;
  }
  return chosen;
}

function isBetter(before: Float64Array, after: Float64Array): boolean {
  const gains = before.map((loss, row) => loss - after[row]!);
  const gain = mean(gains);
  let variance = 0;
  for (const value of gains) variance += (value - gain) ** 2;
  return gain > 0 && gain / Math.sqrt(variance / gains.length / Math.max(1, gains.length - 1)) > LEAST_Z;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length > 0 ? sum / values.length : 0;
}

function fitCurve(method: Method, stated: Float64Array, outcomes: Uint8Array): CalibrationCurve {
  if (method === 'identity') return { method };
  if (method === 'platt') return { method, ...fitPlatt(stated, outcomes) };
  const curve = fitIsotonic(stated, Float64Array.from(outcomes));
  // A pool of one kind only would claim certainty that its rows cannot give (Laplace's rule for the whole set bounds it).
  const least = 1 / (outcomes.length + 2);
  return { method, x: curve.x, y: curve.y.map((p) => Math.min(1 - least, Math.max(least, p))) };
}

/** The corrected probability of the class that a curve belongs to. */
export function applyCurve(curve: CalibrationCurve, probability: number): number {
  if (curve.method === 'identity') return probability;
  return curve.method === 'platt' ? applyPlatt(curve, probability) : applyIsotonic(curve, probability);
}

/**
 * Corrects one row's probabilities without allocating; `out` may be the same array. They sum to 1 again.
 * @param probabilities `classes` numbers from `at` on
 */
export function applyCalibration(
  { classes, curves }: Calibration,
  probabilities: Float64Array,
  out: Float64Array,
  at = 0,
): void {
  if (classes === 2) {
    const p = applyCurve(curves[0]!, probabilities[at + 1]!);
    // Untouched probabilities stay the same to the bit.
    out[at] = curves[0]!.method === 'identity' ? probabilities[at]! : 1 - p;
    out[at + 1] = p;
    return;
  }
  let sum = 0;
  let isChanged = false;
  for (let c = 0; c < classes; c++) {
    isChanged ||= curves[c]!.method !== 'identity';
    out[at + c] = applyCurve(curves[c]!, probabilities[at + c]!);
    sum += out[at + c]!;
  }
  if (!isChanged) return;
  for (let c = 0; c < classes; c++) out[at + c] = sum > 0 ? out[at + c]! / sum : 1 / classes;
}
