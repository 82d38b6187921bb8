import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import { applyCalibration, fitCalibration, type Calibration } from '../../../ml/calibrate/calibration.js';
import { conformalQuantile } from '../../../ml/calibrate/conformal.js';
import type { BoostingCrew } from '../../../ml/ensemble/boosting-work.js';
import { assignFolds } from '../../../ml/evaluate/folds.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { Candidate, CandidateInput, Checkpoint } from './candidate.js';
import { fitBoostingCandidate } from './fit-boosting.js';
import { fitForestCandidate } from './fit-forest.js';
import { fitLinearCandidate } from './fit-linear.js';
import { measuredOf, type OnProgress } from '../recipe.js';
import { averageEquals, blendCandidates, type BlendLimits } from './blend.js';
import type { HeadAlgorithm, HeadModel, TabularAlgorithm } from './head-model.js';
import type { HeadTarget } from './training-table.js';

/** The level that the intervals of a regression are made for. */
export const INTERVAL_LEVEL = 0.9;
/** Parts that the rows of a fit are judged in, each by models of the others. */
export const FOLDS = 5;

/** How well one algorithm did on rows that it had not seen. */
export interface CandidateResult {
  algorithm: HeadAlgorithm;
  /** Of a regression: whether the logarithm of the target was learned. */
  transform?: 'log';
  /** Log loss after calibration, or mean absolute error; lower is better. */
  loss: number;
  isChosen: boolean;
}

/** One fitted head with all that makes its answers honest. */
export interface FittedHead {
  model: HeadModel;
  /** The model knows the logarithm of the value. */
  transform?: 'log';
  calibration?: Calibration;
  /** On the scale of the model: a truth lies within `halfWidth` of the answer with probability `level`. */
  interval?: { level: number; halfWidth: number };
  candidates: CandidateResult[];
  hyperparameters: Record<string, unknown>;
  /** What models that had not seen a row say of it, calibrated, and which rows these are. */
  unseen: { answers: Float64Array; rows: Uint32Array };
}

/** One way to fit a head that is tried beside others. */
export interface HeadVariant {
  algorithm: TabularAlgorithm;
  hyperparameters: Hyperparameters;
}

export interface HeadInput {
  x: FeatureMatrix;
  target: HeadTarget;
  /** Rows to learn from; each has a truth. */
  rows: Uint32Array;
  groups: Int32Array;
  isInTime: boolean;
  categorical: readonly number[];
  monotone?: Int8Array;
  variants: readonly HeadVariant[];
  /** What several models may come to that answer together. */
  limits?: BlendLimits;
  seed: number;
  /** Of each variant and transform, by name. */
  checkpoint?: (name: string) => Checkpoint;
  crew?: BoostingCrew;
  onProgress: OnProgress;
}

const FIT: Record<TabularAlgorithm, (input: CandidateInput) => Candidate> = {
  random_forest: fitForestCandidate,
  gradient_boosting: fitBoostingCandidate,
  linear: fitLinearCandidate,
};

/**
 * Fits one head in each way, takes the one that does best on rows which its models had not seen (of few rows the mean of those that may be
 * the best), and makes its confidence honest on the same answers: probabilities are calibrated, intervals measured, and no training row is given up.
 */
export function fitHead(input: HeadInput): FittedHead {
  const { target, rows } = input;
  const isRegression = target.head.task === 'regression';
  const y = Float64Array.from(rows, (row) => target.y[row]!);
  const transforms = isRegression && isSkewed(y) ? [undefined, 'log' as const] : [undefined];
  const variants = input.variants.flatMap((variant, place) =>
    transforms.map((transform) => ({ ...variant, place, transform })),
  );
  const isNamedTwice = new Set(input.variants.map(({ algorithm }) => algorithm)).size < input.variants.length;
  const common = {
    x: takeRows(input.x, rows),
    classes: isRegression ? 0 : target.classes.length,
    categorical: input.categorical,
    monotone: input.monotone,
    folds: foldsOf(input, y),
    isInTime: input.isInTime,
    crew: input.crew,
  };
  const candidates = variants.map(({ algorithm, hyperparameters, place, transform }, index) =>
    FIT[algorithm]({
      ...common,
      hyperparameters,
      y: transform ? y.map(Math.log) : y,
      checkpoint: input.checkpoint?.(`${isNamedTwice ? `${place}.` : ''}${algorithm}${transform ? '.log' : ''}`),
      onProgress: (share, detail, measured) =>
        input.onProgress(
          (index + share) / variants.length,
          `${algorithm.replace('_', ' ')}: ${detail}`,
          measuredOf(transform ? `${algorithm}.log` : algorithm, measured),
        ),
    }),
  );
  const judged = candidates.map((candidate, index): Judged => {
    const { transform } = variants[index]!;
    return isRegression ? judgeRegression(candidate, y, transform) : judgeClassification(candidate, y, input.seed);
  });
  const judgeBlend = (blend: Candidate, transform: 'log' | undefined) =>
    isRegression ? judgeRegression(blend, y, transform) : judgeClassification(blend, y, input.seed);
  /** Where rows are too few to tell candidates apart, no single one of them is taken. */
  const means: Judged[] = [];
  for (const transform of transforms) {
    const alike = candidates.filter((_, index) => variants[index]!.transform === transform);
    if (alike.length < 2) continue;
    const learned = transform ? y.map(Math.log) : y;
    const mean = averageEquals(alike, learned, input.limits);
    if (mean) means.push(judgeBlend(mean, transform));
    const blend = mean ? undefined : blendCandidates(alike, learned, input.limits);
    if (blend) judged.push(judgeBlend(blend, transform));
  }
  judged.push(...means);
  const best = (means.length > 0 ? means : judged).reduce((chosen, one) => (one.loss < chosen.loss ? one : chosen));
  return {
    ...best.fitted,
    candidates: judged.map((one) => ({
      algorithm: one.fitted.model.algorithm,
      ...(one.fitted.transform ? { transform: one.fitted.transform } : {}),
      loss: one.loss,
      isChosen: one === best,
    })),
  };
}

/** In time, neighbours share a fold; otherwise rows of one entity do. */
export function foldsOf(
  { rows, groups, isInTime, target, seed }: Pick<HeadInput, 'rows' | 'groups' | 'isInTime' | 'target' | 'seed'>,
  y: Float64Array,
): Uint8Array | Int32Array {
  if (isInTime) return Uint8Array.from(rows, (_, at) => Math.floor((at * FOLDS) / rows.length));
  return assignFolds(rows.length, FOLDS, {
    seed,
    labels: target.head.task === 'regression' ? undefined : y,
    groups: Int32Array.from(rows, (row) => groups[row]!),
  });
}

/** Positive values with a long tail, such as durations: their logarithm may be easier to learn. */
export function isSkewed(y: Float64Array): boolean {
  if (y.some((value) => !(value > 0))) return false;
  return skewness(y) > 1 && Math.abs(skewness(y.map(Math.log))) < skewness(y);
}

function skewness(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let second = 0;
  let third = 0;
  for (const value of values) {
    second += (value - mean) ** 2;
    third += (value - mean) ** 3;
  }
  return second > 0 ? third / values.length / (second / values.length) ** 1.5 : 0;
}

/** Judges a candidate by what it says of rows that it had not seen: `y` has the truths of all its rows. */
export function judgeCandidate(candidate: Candidate, y: Float64Array, target: HeadTarget, seed: number): Judged {
  return target.head.task === 'regression'
    ? judgeRegression(candidate, y, undefined)
    : judgeClassification(candidate, y, seed);
}

type Judged = { fitted: Omit<FittedHead, 'candidates'>; loss: number };

function judgeClassification(candidate: Candidate, y: Float64Array, seed: number): Judged {
  const { outputs } = candidate.model;
  const rows = coveredRows(candidate);
  const answers = new Float64Array(rows.length * outputs);
  rows.forEach((row, at) => answers.set(candidate.unseen.subarray(row * outputs, (row + 1) * outputs), at * outputs));
  const labels = Float64Array.from(rows, (row) => y[row]!);
  const calibration = fitCalibration(answers, labels, outputs, { seed });
  let loss = 0;
  for (let at = 0; at < rows.length; at++) {
    const answer = answers.subarray(at * outputs, (at + 1) * outputs);
    applyCalibration(calibration, answer, answer);
    loss -= Math.log(Math.max(1e-15, answer[labels[at]!]!)) / rows.length;
  }
  const { model, hyperparameters } = candidate;
  return { fitted: { model, calibration, hyperparameters, unseen: { answers, rows } }, loss };
}

function judgeRegression(candidate: Candidate, y: Float64Array, transform: 'log' | undefined): Judged {
  const rows = coveredRows(candidate);
  const residuals = Float64Array.from(rows, (row) => {
    const truth = transform ? Math.log(y[row]!) : y[row]!;
    return truth - candidate.unseen[row]!;
  });
  const answers = Float64Array.from(rows, (row) =>
    transform ? Math.exp(candidate.unseen[row]!) : candidate.unseen[row]!,
  );
  const loss = rows.reduce((sum, row, at) => sum + Math.abs(y[row]! - answers[at]!), 0) / Math.max(1, rows.length);
  const halfWidth = conformalQuantile(residuals, 1 - INTERVAL_LEVEL);
  const { model, hyperparameters } = candidate;
  return {
    fitted: {
      model,
      transform,
      hyperparameters,
      unseen: { answers, rows },
      ...(halfWidth === null ? {} : { interval: { level: INTERVAL_LEVEL, halfWidth } }),
    },
    loss,
  };
}

const coveredRows = ({ covered }: Candidate) =>
  Uint32Array.from([...covered.keys()].filter((row) => covered[row] === 1));

/** What a fitted head answers for each row of a matrix: calibrated probabilities, or values. */
export function answerRows(
  head: Pick<FittedHead, 'model' | 'transform' | 'calibration'>,
  x: FeatureMatrix,
): Float64Array {
  const { model, transform, calibration } = head;
  const answers = model.predict(x);
  if (transform === 'log') return answers.map(Math.exp);
  if (calibration) {
    for (let row = 0; row < x.rows; row++) {
      const answer = answers.subarray(row * model.outputs, (row + 1) * model.outputs);
      applyCalibration(calibration, answer, answer);
    }
  }
  return answers;
}
