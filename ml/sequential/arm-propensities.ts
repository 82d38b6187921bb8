import { logGamma } from './log-gamma.js';

/** What is known of the mean reward of an arm: a beta posterior of a chance, or a normal one. */
export type ArmPosterior =
  { kind: 'bernoulli'; successes: number; failures: number } | { kind: 'gaussian'; mean: number; deviation: number };

const CELLS_AN_ARM = 512;
const TAIL_DEVIATIONS = 9;

/**
 * The chance that Thompson sampling plays each arm (the arm is best under a draw from all posteriors; Thompson 1933), integrated on a grid to
 * about 1e-4 rather than estimated by draws, so that it can be logged with each decision and divided by later.
 *
 * @param floor least chance of every arm, so that no estimate ever divides by next to nothing; in [0, 1 / arms)
 * @returns chances in the order of the arms, summing to 1
 * @throws RangeError for no arms, arms of both kinds, or numbers that are no posterior
 */
export function armPropensities(arms: readonly ArmPosterior[], floor = 0.02): Float64Array {
  if (arms.length === 0) throw new RangeError('there is no arm to choose from: give at least one');
  if (!(floor >= 0 && floor * arms.length < 1))
    throw new RangeError(`the least chance is ${floor} but must be at least 0 and below 1 / ${arms.length}`);
  if (arms.some((arm) => arm.kind !== arms[0]!.kind))
    throw new RangeError('the arms are of different kinds: their rewards cannot be compared');
  arms.forEach(checkPosterior);
  const edges = edgesFor(arms);
  const cells = arms.map((arm) => massBetween(arm, edges));
  const best = new Float64Array(arms.length);
  const below = new Float64Array(arms.length);
  for (let cell = 0; cell < edges.length - 1; cell++) {
    cells.forEach((masses, arm) => {
      let chance = masses[cell]!;
      // Within a cell ties are split evenly, to first order: the others are below with half of their own mass there.
      for (let other = 0; other < arms.length; other++)
        if (other !== arm) chance *= below[other]! + cells[other]![cell]! / 2;
      best[arm]! += chance;
    });
    cells.forEach((masses, arm) => (below[arm]! += masses[cell]!));
  }
  const sum = best.reduce((total, chance) => total + chance, 0);
  return best.map((chance) => floor + (1 - floor * arms.length) * (chance / sum));
}

/** The arm that a number falls on. @param place uniform in [0, 1), such as a salted hash of the entity */
export function armAt(propensities: ArrayLike<number>, place: number): number {
  let sum = 0;
  for (let arm = 0; arm < propensities.length - 1; arm++) {
    sum += propensities[arm]!;
    if (place < sum) return arm;
  }
  return propensities.length - 1;
}

function checkPosterior(arm: ArmPosterior): void {
  const isRight =
    arm.kind === 'bernoulli'
      ? arm.successes >= 0 && arm.failures >= 0 && Number.isFinite(arm.successes + arm.failures)
      : Number.isFinite(arm.mean) && arm.deviation > 0 && arm.deviation < Infinity;
  if (!isRight)
    throw new RangeError(`an arm has ${JSON.stringify(arm)}: counts must be 0 or more, a deviation finite and above 0`);
}

function rangeOf(arm: ArmPosterior): [number, number] {
  if (arm.kind === 'gaussian')
    return [arm.mean - TAIL_DEVIATIONS * arm.deviation, arm.mean + TAIL_DEVIATIONS * arm.deviation];
  const a = arm.successes + 1;
  const b = arm.failures + 1;
  const mean = a / (a + b);
  const reach = TAIL_DEVIATIONS * Math.sqrt((a * b) / ((a + b) ** 2 * (a + b + 1)));
  return [Math.max(0, mean - reach), Math.min(1, mean + reach)];
}

/** Every arm divides its own range, so that one known far better than the others is not lost between two of their edges. */
function edgesFor(arms: readonly ArmPosterior[]): Float64Array {
  const edges = new Float64Array(arms.length * (CELLS_AN_ARM + 1));
  arms.map(rangeOf).forEach(([low, high], arm) => {
    for (let edge = 0; edge <= CELLS_AN_ARM; edge++)
      edges[arm * (CELLS_AN_ARM + 1) + edge] = low + ((high - low) * edge) / CELLS_AN_ARM;
  });
  return edges.sort();
}

/** The posterior's mass in each cell, by the density at its middle; beta posteriors start from a uniform one. */
function massBetween(arm: ArmPosterior, edges: Float64Array): Float64Array {
  const masses = new Float64Array(edges.length - 1);
  const log = logDensity(arm);
  let sum = 0;
  masses.forEach((_, cell) => {
    const width = edges[cell + 1]! - edges[cell]!;
    if (width > 0) masses[cell] = Math.exp(log((edges[cell]! + edges[cell + 1]!) / 2)) * width;
    sum += masses[cell]!;
  });
  return masses.map((mass) => mass / sum);
}

function logDensity(arm: ArmPosterior): (x: number) => number {
  if (arm.kind === 'gaussian') {
    const scale = Math.log(arm.deviation * Math.sqrt(2 * Math.PI));
    return (x) => -0.5 * ((x - arm.mean) / arm.deviation) ** 2 - scale;
  }
  const { successes, failures } = arm;
  const scale = logGamma(successes + failures + 2) - logGamma(successes + 1) - logGamma(failures + 1);
  return (x) => scale + successes * Math.log(x) + failures * Math.log1p(-x);
}
