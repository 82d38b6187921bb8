import {
  addClassesToBins,
  addToBin,
  chancesOf,
  intervalWidth,
  logLossOf,
  tallyExpected,
  type WatchedHead,
} from './answer-tally.js';
import { addMoment, addUp, bump, partOf, type Tally } from './tally.js';

/** Items of a list that hit rate and NDCG look at. */
const RANKED = 10;

/**
 * Adds one answer with what turned out to be true to the tally of the hour in which it was answered. Below `heads`, per head: `rows` with a
 * truth, `means` of losses and hits, `bins` of scores, and `expected`: what the estimate says of these very rows.
 * @param outcome truths by the names of the answer
 * @returns the loss of each head that had a truth, in the unit of its first metric
 */
export function tallyOutcome(
  tally: Tally,
  predictions: Record<string, unknown>,
  outcome: Record<string, unknown>,
  heads: readonly WatchedHead[],
): Record<string, number> {
  const losses: Record<string, number> = {};
  let isKnown = false;
  for (const head of heads) {
    const name = head.task === 'forecast' ? `${head.name}_forecast` : head.name;
    const truth = outcome[name];
    const answer = predictions[name];
    if (truth === undefined || truth === null || answer === undefined || answer === null) continue;
    const part: Tally = {};
    const loss = tallyTruth(part, predictions, truth, head);
    if (loss === undefined) continue;
    isKnown = true;
    losses[head.name] = loss;
    bump(part, 'rows');
    addUp(partOf(partOf(tally, 'heads'), head.name), part);
  }
  if (isKnown) bump(tally, 'labelled');
  return losses;
}

function tallyTruth(
  tally: Tally,
  predictions: Record<string, unknown>,
  truth: unknown,
  { name, task }: WatchedHead,
): number | undefined {
  if (task === 'binary') return tallyBinary(tally, predictions[name], truthValue(truth));
  if (task === 'multiclass') return tallyClass(tally, predictions, String(truth), name);
  if (task === 'regression') return tallyNumber(tally, predictions, truth, name);
  if (task === 'forecast') return tallyForecast(tally, predictions, truth, name);
  if (task === 'ranking') return tallyRanking(tally, predictions[name], truth);
  return undefined;
}

/** A yes or no, however it was reported. */
export function truthValue(truth: unknown): 0 | 1 | undefined {
  const text = String(truth).toLowerCase();
  if (text === 'true' || text === '1') return 1;
  return text === 'false' || text === '0' ? 0 : undefined;
}

function tallyBinary(tally: Tally, answer: unknown, truth: 0 | 1 | undefined): number | undefined {
  if (truth === undefined) return undefined;
  const means = partOf(tally, 'means');
  if (typeof answer === 'boolean') {
    addMoment(means, 'accuracy', Number(Number(answer) === truth));
    if (truth === 1) addMoment(means, 'recall', Number(answer));
    if (answer) addMoment(means, 'precision', truth);
    return Number(Number(answer) !== truth);
  }
  if (typeof answer !== 'number' || answer < 0 || answer > 1) return undefined;
  const brier = (answer - truth) ** 2;
  addMoment(means, 'accuracy', Number(Number(answer >= 0.5) === truth));
  addMoment(means, 'log_loss', logLossOf(truth === 1 ? answer : 1 - answer));
  addMoment(means, 'brier', brier);
  if (truth === 1) addMoment(means, 'recall', Number(answer >= 0.5));
  addMoment(means, 'calibration', answer - truth);
  addToBin(tally, answer, truth);
  tallyExpected(partOf(tally, 'expected'), [1 - answer, answer]);
  return brier;
}

function tallyClass(tally: Tally, predictions: Record<string, unknown>, truth: string, name: string): number {
  const means = partOf(tally, 'means');
  const isRight = Number(String(predictions[name]) === truth);
  addMoment(means, 'accuracy', isRight);
  const probabilities = predictions['probabilities'] as Record<string, unknown> | undefined;
  const chances = chancesOf(name, 'multiclass', predictions);
  if (!chances || !probabilities) return 1 - isRight;
  const own = probabilities[truth];
  // A class that the version does not know had no chance at all.
  const chance = typeof own === 'number' ? own : 0;
  addMoment(means, 'log_loss', logLossOf(chance));
  addMoment(
    means,
    'brier',
    chances.length === 2 ? (1 - chance) ** 2 : chances.reduce((sum, p) => sum + p * p, 0) - 2 * chance + 1,
  );
  tallyExpected(partOf(tally, 'expected'), chances);
  addClassesToBins(tally, probabilities as Record<string, number>, truth);
  return 1 - isRight;
}

function tallyNumber(
  tally: Tally,
  predictions: Record<string, unknown>,
  truth: unknown,
  name: string,
): number | undefined {
  const answer = predictions[name];
  if (typeof answer !== 'number' || typeof truth !== 'number') return undefined;
  const means = partOf(tally, 'means');
  const error = answer - truth;
  addMoment(means, 'mae', Math.abs(error));
  addMoment(means, 'squared_error', error * error);
  addMoment(means, 'bias', error);
  addMoment(means, 'truth', truth);
  const width = intervalWidth(predictions, 'regression');
  if (width === undefined) return Math.abs(error);
  const { lower, upper } = predictions['interval'] as { lower: number; upper: number };
  addMoment(means, 'coverage', Number(truth >= lower && truth <= upper));
  addMoment(tally, 'width', width);
  return Math.abs(error);
}

/** @param truth what was measured, from the first step on; null for a gap */
function tallyForecast(
  tally: Tally,
  predictions: Record<string, unknown>,
  truth: unknown,
  name: string,
): number | undefined {
  const forecast = predictions[`${name}_forecast`];
  if (!Array.isArray(forecast) || !Array.isArray(truth)) return undefined;
  const means = partOf(tally, 'means');
  const bounds = (predictions['intervals'] as Record<string, { lower: number; upper: number }[]> | undefined)?.[name];
  let steps = 0;
  let total = 0;
  let before: number | undefined;
  for (let step = 0; step < Math.min(forecast.length, truth.length); step++) {
    const value: unknown = truth[step];
    if (typeof value !== 'number') {
      before = undefined;
      continue;
    }
    const error = Math.abs(Number(forecast[step]) - value);
    steps++;
    total += error;
    addMoment(means, 'mae', error);
    const bound = bounds?.[step];
    if (bound) addMoment(means, 'coverage', Number(value >= bound.lower && value <= bound.upper));
    if (before !== undefined) addMoment(tally, 'steps', Math.abs(value - before));
    before = value;
  }
  return steps === 0 ? undefined : total / steps;
}

/** @param truth the item that was taken, or several */
function tallyRanking(tally: Tally, answer: unknown, truth: unknown): number | undefined {
  const taken = (Array.isArray(truth) ? truth : [truth]).filter((item) => typeof item === 'string');
  if (!Array.isArray(answer) || taken.length === 0) return undefined;
  const shown = (answer as { item_id?: unknown }[]).slice(0, RANKED).map((item) => item.item_id);
  const hits = shown.map((item) => taken.includes(item as string));
  const gain = hits.reduce((sum, isHit, rank) => sum + (isHit ? 1 / Math.log2(rank + 2) : 0), 0);
  let best = 0;
  for (let rank = 0; rank < Math.min(RANKED, taken.length); rank++) best += 1 / Math.log2(rank + 2);
  const found = hits.filter(Boolean).length;
  const means = partOf(tally, 'means');
  addMoment(means, 'hit_rate_at_10', Number(found > 0));
  addMoment(means, 'recall_at_10', found / taken.length);
  addMoment(means, 'ndcg_at_10', gain / best);
  return 1 - gain / best;
}
