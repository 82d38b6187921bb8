import { createPrng, shuffle } from '../random/prng.js';
import { compareToBaseline } from './compare-to-baseline.js';
import type { BaselineComparison } from './compare-to-baseline.js';

/** What a fit on some of the training rows gives. */
export interface CurveFit {
  /** One loss a held-out row, the same rows in each fit; lower is better. */
  heldOutLosses: Float64Array;
  /** Mean loss on the rows it was fitted on. */
  trainingLoss: number;
}

/** How a model gains from more rows. */
export interface LearningCurve {
  points: { share: number; rows: number; trainingLoss: number; heldOutLoss: number }[];
  /** What the last step in rows brought; null where there is one point only. */
  lastStep: BaselineComparison | null;
  /** True where the last step helped by more than chance: more rows like these would probably help too. */
  isStillImproving: boolean;
}

const SHARES = [0.1, 0.2, 0.4, 0.7, 1];

/**
 * Fits on growing parts of the training rows, each of which holds the one before it.
 * @param rows training rows
 * @param labels class numbers by row, where each part should have the classes in their shares
 * @param fit is called with the rows of a part, ascending; once a part
 * @param shares ascending, each in (0, 1]; parts of the same size are fitted once
 * @throws RangeError for no rows or shares that are not ascending in (0, 1]
 */
export function learningCurve(input: {
  rows: Uint32Array;
  labels?: ArrayLike<number>;
  fit: (rows: Uint32Array) => CurveFit;
  seed: number;
  shares?: readonly number[];
}): LearningCurve {
  const { rows, labels, fit, seed, shares = SHARES } = input;
  if (rows.length === 0) throw new RangeError('a learning curve needs training rows, got none');
  if (shares.length === 0 || shares.some((share, i) => !(share > (shares[i - 1] ?? 0) && share <= 1)))
    throw new RangeError(`shares must ascend from above 0 to at most 1, got ${shares.join(', ')}`);
  const order = proportionalOrder(rows, labels, seed);
  const points: LearningCurve['points'] = [];
  const losses: Float64Array[] = [];
  for (const share of shares) {
    const count = Math.max(1, Math.round(share * rows.length));
    if (points.at(-1)?.rows === count) continue;
    const fitted = fit(order.slice(0, count).sort());
    losses.push(fitted.heldOutLosses);
    const heldOutLoss = fitted.heldOutLosses.reduce((sum, loss) => sum + loss, 0) / fitted.heldOutLosses.length;
    points.push({ share, rows: count, trainingLoss: fitted.trainingLoss, heldOutLoss });
  }
  const [before, last] = losses.slice(-2);
  const lastStep = before && last ? compareToBaseline({ losses: last, baselineLosses: before, seed }) : null;
  return { points, lastStep, isStillImproving: lastStep?.better ?? false };
}

/** A random order every beginning of which has the classes in nearly the shares of the whole. */
function proportionalOrder(rows: Uint32Array, labels: ArrayLike<number> | undefined, seed: number): Uint32Array {
  const shuffled = shuffle(rows.slice(), createPrng(seed, 0x63757276));
  if (!labels) return shuffled;
  const counts = new Map<number, number>();
  for (const row of shuffled) counts.set(labels[row]!, (counts.get(labels[row]!) ?? 0) + 1);
  const seen = new Map<number, number>();
  const place = Float64Array.from(shuffled, (row) => {
    const label = labels[row]!;
    const index = seen.get(label) ?? 0;
    seen.set(label, index + 1);
    return (index + 0.5) / counts.get(label)!;
  });
  const order = Int32Array.from(shuffled.keys()).sort((a, b) => place[a]! - place[b]! || a - b);
  return Uint32Array.from(order, (i) => shuffled[i]!);
}
