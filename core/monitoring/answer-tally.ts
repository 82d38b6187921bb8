import { logBucket } from '../../ml/evaluate/log-histogram.js';
import { addMoment, bump, bumpName, partOf, type Tally } from './tally.js';

/** A head whose answers are counted: one of a version's signature. */
export interface WatchedHead {
  name: string;
  /** `binary`, `multiclass`, `regression`, `forecast` or `ranking`; others are counted without figures. */
  task: string;
}

/** One row of the log. */
export interface LoggedAnswer {
  predictions: Record<string, unknown>;
  latencyUs: number;
  isCached: boolean;
  error: string | null;
}

/**
 * Adds one answer to the tally of its hour: `requests`, `errors`, `cached`, the histogram `latency` in microseconds, and below `heads` what was
 * answered and what the answer's own probabilities let expect.
 */
export function tallyAnswer(tally: Tally, answer: LoggedAnswer, heads: readonly WatchedHead[]): void {
  bump(tally, 'requests');
  if (answer.isCached) bump(tally, 'cached');
  if (answer.error !== null) bump(tally, 'errors');
  bump(partOf(tally, 'latency'), String(logBucket(answer.latencyUs)));
  // Another version answered in the place of one that failed: its answer says nothing of this one.
  if (answer.error !== null) return;
  for (const head of heads) tallyHead(partOf(partOf(tally, 'heads'), head.name), answer.predictions, head);
}

function tallyHead(tally: Tally, predictions: Record<string, unknown>, { name, task }: WatchedHead): void {
  const value = predictions[task === 'forecast' ? `${name}_forecast` : name];
  if (value === undefined || value === null) return;
  bump(tally, 'rows');
  if (typeof value === 'number') addMoment(tally, 'score', value);
  else if (typeof value === 'string' || typeof value === 'boolean') bumpName(partOf(tally, 'classes'), String(value));
  else if (task === 'ranking') tallyItems(tally, value);
  else if (task === 'forecast' && Array.isArray(value))
    addMoment(tally, 'score', value.reduce((sum: number, step) => sum + Number(step), 0) / Math.max(1, value.length));
  const chances = chancesOf(name, task, predictions);
  if (chances) tallyExpected(partOf(tally, 'expected'), chances);
  if (task === 'binary' && typeof value === 'number') addToBin(tally, value, value);
  if (chances && task === 'multiclass') addClassesToBins(tally, predictions['probabilities'] as Record<string, number>);
  const width = intervalWidth(predictions, task);
  if (width !== undefined) addMoment(tally, 'width', width);
}

function tallyItems(tally: Tally, value: unknown): void {
  if (!Array.isArray(value)) return;
  for (const item of value as { item_id?: unknown; reason?: unknown }[]) {
    if (typeof item.item_id === 'string') bumpName(partOf(tally, 'classes'), item.item_id);
    if (typeof item.reason === 'string') bumpName(partOf(tally, 'reasons'), item.reason);
  }
}

/** The probabilities of all classes of an answer, where it gives them. */
export function chancesOf(name: string, task: string, predictions: Record<string, unknown>): number[] | undefined {
  const value = predictions[name];
  if (task === 'binary') return typeof value === 'number' && value >= 0 && value <= 1 ? [1 - value, value] : undefined;
  const probabilities = predictions['probabilities'];
  if (task !== 'multiclass' || typeof probabilities !== 'object' || probabilities === null) return undefined;
  const chances = Object.values(probabilities as Record<string, number>);
  return chances.length > 1 && chances.every((chance) => typeof chance === 'number') ? chances : undefined;
}

/** A probability is taken for no less before its logarithm: answers have six digits. */
const LEAST_CHANCE = 1e-6;
export const logLossOf = (chance: number): number => -Math.log(Math.max(LEAST_CHANCE, chance));

/**
 * Per metric the sum of what right probabilities let expect (confidence-based performance estimation), and of the variance that chance alone adds.
 */
export function tallyExpected(tally: Tally, chances: readonly number[]): void {
  const most = Math.max(...chances);
  addExpected(tally, 'accuracy', most, most * (1 - most));
  let loss = 0;
  let square = 0;
  for (const chance of chances) {
    const own = logLossOf(chance);
    loss += chance * own;
    square += chance * own * own;
  }
  addExpected(tally, 'log_loss', loss, square - loss * loss);
  if (chances.length === 2) {
    const p = chances[1]!;
    addExpected(tally, 'brier', p * (1 - p), p * (1 - p) * (1 - 2 * p) ** 2);
    return;
  }
  // Summed over the classes it is 1 - 2 p + Σ p² for the class that turns out.
  const squares = chances.reduce((sum, p) => sum + p * p, 0);
  const cubes = chances.reduce((sum, p) => sum + p * p * p, 0);
  addExpected(tally, 'brier', 1 - squares, Math.max(0, 4 * (cubes - squares * squares)));
}

function addExpected(tally: Tally, metric: string, mean: number, variance: number): void {
  const part = partOf(tally, metric);
  bump(part, 'n');
  bump(part, 'sum', mean);
  bump(part, 'variance', variance);
}

/** Bins of a probability are even on the logit scale, 6 a unit: the area under the ROC curve then loses next to nothing. */
const BINS_A_LOGIT = 6;
const FARTHEST_BIN = 48;

/** Adds a score to its bin: `n`, Σ score, and Σ truth where `truth` is one; of an estimate the chance stands for it. */
export function addToBin(tally: Tally, score: number, truth: number): void {
  const logit = Math.log(Math.max(1e-9, score)) - Math.log(Math.max(1e-9, 1 - score));
  const bin = Math.max(-FARTHEST_BIN, Math.min(FARTHEST_BIN, Math.round(logit * BINS_A_LOGIT)));
  const part = partOf(partOf(tally, 'bins'), String(bin));
  bump(part, 'n');
  bump(part, 'score', score);
  bump(part, 'truth', truth);
}

/** The sums of the scores of as many classes are kept by the hour; of more they would be larger than the log. */
const MOST_BINNED_CLASSES = 12;

/**
 * Adds the probability of each class to bins of its own, `class_bins`, for the area under its curve against the rest; of two classes one is enough,
 * and its `bins` are those of a yes or no.
 * @param truth the class that turned out; without it, of an estimate, each class stands for itself by its probability
 */
export function addClassesToBins(tally: Tally, probabilities: Record<string, number>, truth?: string): void {
  const names = Object.keys(probabilities);
  const truthOf = (name: string) => (truth === undefined ? probabilities[name]! : Number(truth === name));
  if (names.length === 2) addToBin(tally, probabilities[names[1]!]!, truthOf(names[1]!));
  else if (names.length <= MOST_BINNED_CLASSES)
    for (const name of names) addToBin(partOf(partOf(tally, 'class_bins'), name), probabilities[name]!, truthOf(name));
}

export function intervalWidth(predictions: Record<string, unknown>, task: string): number | undefined {
  const interval = predictions['interval'] as { lower?: unknown; upper?: unknown } | undefined;
  if (task !== 'regression' || typeof interval?.lower !== 'number' || typeof interval.upper !== 'number')
    return undefined;
  return interval.upper - interval.lower;
}
