import { levelReached, lossAt, lossesAt, type Pruner } from './pruner.js';
import type { Trial } from './trial.js';

export interface HalvingOptions {
  /** What a trial spends that runs to its end, such as rounds; whole, from 1. */
  readonly maxResource: number;
  /** The first level; whole, from 1; 3 unless given. */
  readonly minResource?: number;
  /** One trial in so many goes on from a level, and the next level is so many times as high; whole, from 2; 3 unless given. */
  readonly eta?: number;
}

/**
 * Asynchronous successive halving (L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020), by stopping: a trial
 * goes on from a level while it is among the best 1/eta of all that have reached it, itself included; the best always does. Nobody
 * waits for anybody, at the price that early trials are judged by few.
 */
export function createAshaPruner(options: HalvingOptions): Pruner {
  const { levels, eta } = ladderOf(options);
  return prunerOf(
    () => levels,
    () => () => true,
    eta,
  );
}

/**
 * Successive halving (K. Jamieson and A. Talwalkar, AISTATS 2016): as `createAshaPruner`, but a trial is held only against those of its own
 * round. A round is as many trials in a row as it takes for one of them to be left at the end: eta^levels.
 */
export function createSuccessiveHalvingPruner(options: HalvingOptions): Pruner {
  const { levels, eta } = ladderOf(options);
  const roundOf = (index: number) => Math.floor(index / eta ** levels.length);
  return prunerOf(
    () => levels,
    (index) => (other) => roundOf(other.index) === roundOf(index),
    eta,
  );
}

/**
 * Hyperband (L. Li et al., JMLR 18, 2018), asynchronously: the trials are dealt to brackets in turn, each of which halves among its own
 * from another level on, the last not at all. So a loss that says little early on costs only some of the brackets.
 */
export function createHyperbandPruner(options: HalvingOptions): Pruner {
  const { levels, eta } = ladderOf(options);
  const sizes = bracketSizes(levels.length, eta);
  const round = sizes.reduce((a, b) => a + b, 0);
  const bracketOf = (index: number) => {
    let left = index % round;
    return sizes.findIndex((size) => (left -= size) < 0);
  };
  return prunerOf(
    (index) => levels.slice(bracketOf(index)),
    (index) => (other) => bracketOf(other.index) === bracketOf(index),
    eta,
  );
}

/**
 * How many trials a round of Hyperband deals to each bracket, the one that is judged earliest first: n = ⌈(s + 1) / (k + 1) · eta^k⌉ for
 * k = s … 0, where s is the number of levels.
 */
export function bracketSizes(levels: number, eta: number): number[] {
  return Array.from({ length: levels + 1 }, (_, bracket) => {
    const k = levels - bracket;
    return Math.ceil(((levels + 1) / (k + 1)) * eta ** k);
  });
}

function ladderOf({ maxResource, minResource = 3, eta = 3 }: HalvingOptions): { levels: number[]; eta: number } {
  if (!Number.isInteger(minResource) || minResource < 1)
    throw new RangeError(`the least resource is ${minResource} but must be a whole number from 1`);
  if (!Number.isInteger(eta) || eta < 2) throw new RangeError(`eta is ${eta} but must be a whole number from 2`);
  const levels: number[] = [];
  for (let level = minResource; level < maxResource; level *= eta) levels.push(level);
  return { levels, eta };
}

function prunerOf(
  levelsOf: (index: number) => readonly number[],
  peersOf: (index: number) => (other: Trial) => boolean,
  eta: number,
): Pruner {
  return {
    levelsOf,
    decide: ({ history, index, reports }) => {
      const level = levelReached(reports, levelsOf(index));
      if (level === undefined) return 'continue';
      const own = lossAt(reports, level)!;
      if (own === Infinity) return 'prune';
      const others = lossesAt(history.filter(peersOf(index)), level);
      const kept = Math.max(1, Math.floor((others.length + 1) / eta));
      // Of equals the earlier one ranks higher, so that trials that are all the same do not all go on.
      return others.filter((loss) => loss <= own).length < kept ? 'continue' : 'prune';
    },
  };
}
