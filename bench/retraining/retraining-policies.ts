import { judgeRetraining } from '../../core/decisions/judge-retraining.js';
import { HOLDOUT_RULE } from '../../core/decisions/rollout-rule.js';
import { AdaptiveWindow } from '../../ml/drift/adaptive-window.js';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  predictForest,
  type RandomForest,
} from '../../ml/ensemble/random-forest.js';
import { takeRows, type FeatureMatrix } from '../../ml/matrix.js';

/** Rows of two classes in the order of time. */
export interface LabelledStream {
  x: FeatureMatrix;
  /** 0 or 1. */
  y: Float64Array;
}

export interface PolicyResult {
  trainings: number;
  /** Versions that answered after the first. */
  deployed: number;
  /** Share of wrong answers, and mean log loss, over all rows after the first training. */
  error: number;
  logLoss: number;
}

export interface PolicySettings {
  /** Rows that the first version is trained on. */
  firstRows: number;
  /** Rows that are answered before anything is decided. */
  stepRows: number;
  seed: number;
}

/** What a policy sees after a step, and what it may do. */
interface Turn {
  /** Rows that have been answered, with the loss of each. */
  end: number;
  lossOf: (row: number) => number;
  /** Trains on rows before `end`, from `start`. @returns whether the version is put into service */
  train: (start: number, accept: Acceptance) => boolean;
}

/** `always`, or only where it is shown to do better on fresh rows that were kept from it. */
type Acceptance = 'always' | 'better';
export type Policy = (turn: Turn) => void;

const LEAST_CHANCE = 1e-3;
/** One row in so many is kept from a training, to judge it by. */
const HELD_OUT_OF = 5;

const lossOf = (chance: number, truth: number) =>
  -Math.log(Math.min(1 - LEAST_CHANCE, Math.max(LEAST_CHANCE, truth === 1 ? chance : 1 - chance)));

/** Answers a stream from its first version on, row by row before its truth is known, as a policy says when to train anew. */
export function runPolicy({ x, y }: LabelledStream, policy: Policy, settings: PolicySettings): PolicyResult {
  const { firstRows, stepRows, seed } = settings;
  const rowsOf = (start: number, end: number) => Uint32Array.from({ length: end - start }, (_, at) => start + at);
  const fit = (rows: Uint32Array) =>
    fitRandomForest({
      x: takeRows(x, rows),
      y: Float64Array.from(rows, (row) => y[row]!),
      task: { kind: 'classification', classes: 2 },
      parameters: {
        ...defaultRandomForestParameters({ kind: 'classification', classes: 2 }),
        nEstimators: 20,
        maxDepth: 10,
        seed,
      },
    });
  const chances = (forest: RandomForest, rows: Uint32Array) =>
    predictForest(forest, takeRows(x, rows)).filter((_, at) => at % 2 === 1);
  const result = { trainings: 1, deployed: 0, error: 0, logLoss: 0 };
  const losses = new Float64Array(y.length);
  let model = fit(rowsOf(0, firstRows));
  const train: (end: number) => Turn['train'] = (end) => (start, accept) => {
    const rows = rowsOf(Math.max(0, start), end);
    const held = accept === 'better' ? rows.filter((row) => row % HELD_OUT_OF === 0) : rows.subarray(0, 0);
    const next = fit(accept === 'better' ? rows.filter((row) => row % HELD_OUT_OF !== 0) : rows);
    result.trainings++;
    if (accept === 'better' && !isBetter(held, chances(next, held), losses, y)) return false;
    model = next;
    result.deployed++;
    return true;
  };
  for (let at = firstRows; at < y.length; at += stepRows) {
    const rows = rowsOf(at, Math.min(y.length, at + stepRows));
    chances(model, rows).forEach((chance, index) => {
      const row = at + index;
      losses[row] = lossOf(chance, y[row]!);
      result.logLoss += losses[row];
      result.error += Number(chance >= 0.5 !== (y[row] === 1));
    });
    const end = at + rows.length;
    policy({ end, lossOf: (row) => losses[row]!, train: train(end) });
  }
  const answered = y.length - firstRows;
  return { ...result, error: result.error / answered, logLoss: result.logLoss / answered };
}

/** By the very rule of the service. */
function isBetter(rows: Uint32Array, chances: Float64Array, given: Float64Array, y: Float64Array): boolean {
  const more = Array.from(rows, (row, at) => lossOf(chances[at]!, y[row]!) - given[row]!);
  const sum = (of: (one: number) => number) => more.reduce((total, one) => total + of(one), 0);
  const count = rows.length;
  const difference = {
    entities: count,
    requests: count,
    total: sum((one) => one),
    requestsSquared: count,
    totalSquared: sum((one) => one * one),
    crossed: sum((one) => one),
    entitiesWithEvents: sum((one) => Number(one > 0)),
  };
  const baselineMean = rows.reduce((total, row) => total + given[row]!, 0) / count;
  const measures = [{ measure: 'loss:label', harm: 'rises' as const, difference, baselineMean }];
  return (
    judgeRetraining({ strategy: 'holdout', windows: 1, seconds: 0, pairs: count, measures }, HOLDOUT_RULE).outcome ===
    'better'
  );
}

export const neverRetrain: Policy = () => undefined;

/**
 * Trains every so many rows on the latest ones, and puts each version into service.
 * @param phase when the first one comes, as a share of `everyRows`
 */
export function bySchedule(everyRows: number, windowRows: number, phase: number): Policy {
  let next: number | undefined;
  return ({ end, train }) => {
    next ??= end + everyRows * phase;
    if (end < next) return;
    next = end + everyRows;
    train(end - windowRows, 'always');
  };
}

/**
 * Trains when the loss has risen (ADWIN on the loss of each answer), on the rows since the change, once there are enough; puts the version
 * into service where it does better on fresh rows, and else waits, twice as long each time.
 */
export function onDrift(leastRows: number, windowRows: number): Policy {
  let watch = new AdaptiveWindow();
  let seen: number | undefined;
  let changedAt: number | undefined;
  let failures = 0;
  let waitUntil = 0;
  return ({ end, lossOf: loss, train }) => {
    const start = seen ?? end;
    for (let row = start; row < end; row++) {
      const cut = watch.add(loss(row));
      if (cut && cut.to > cut.from) changedAt ??= row - watch.window.count;
    }
    seen = end;
    if (changedAt === undefined || end - changedAt < leastRows || end < waitUntil) return;
    if (train(Math.min(changedAt, end - windowRows), 'better')) {
      failures = 0;
      watch = new AdaptiveWindow();
    } else waitUntil = end + leastRows * 2 ** Math.min(++failures, 6);
    changedAt = undefined;
  };
}
