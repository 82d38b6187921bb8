import { describe, expect, it } from 'vitest';
import { createPrng, type Prng } from '../../../ml/random/prng.js';
import { skillOf, type MeasureJudgement } from '../../../services/kinds/resource-usage/judge-usage-model.js';

const RUNS = 2000;

/** How often the rule lets a model through whose gains at the origins are drawn so. */
function promoted(origins: number, gain: (prng: Prng) => number): number {
  let count = 0;
  for (let run = 0; run < RUNS; run++) {
    const prng = createPrng(11, origins, run);
    const gains = Array.from({ length: origins }, () => gain(prng));
    const judgement = { measure: 'cpu', origins: gains.map((own) => ({ error: 1 - own, baseError: 1 })) };
    if (skillOf(judgement as MeasureJudgement).lower > 0) count++;
  }
  return count / RUNS;
}

/** Symmetric, with a value far out now and then: the ratio of a normal and a uniform number. */
const heavy = (prng: Prng): number => prng.nextGaussian() / (0.1 + prng.next());

describe('the rule that promotes a forecaster', () => {
  it.each([
    [36, 'normal', (prng: Prng) => prng.nextGaussian()],
    [36, 'heavy-tailed', heavy],
    [12, 'normal', (prng: Prng) => prng.nextGaussian()],
    [12, 'heavy-tailed', heavy],
  ] as const)('lets none without skill through more often than 2.5 %% of the time: %d %s gains', (origins, _, gain) => {
    // Four standard errors of 2,000 runs above it.
    expect(promoted(origins, gain)).toBeLessThan(0.025 + 4 * Math.sqrt((0.025 * 0.975) / RUNS));
  });

  it('lets a gain of two thirds of its own spread through nearly always with 36 origins, and says nothing with 5', () => {
    const gain = (prng: Prng): number => 0.67 + prng.nextGaussian();
    expect(promoted(36, gain)).toBeGreaterThan(0.95);
    expect(promoted(36, (prng) => 0.67 + heavy(prng))).toBeGreaterThan(0.25);
    expect(promoted(5, gain)).toBe(0);
  });

  it('does not take many small gains for a large loss', () => {
    const origins = Array.from({ length: 36 }, (_, k) => ({ error: k === 0 ? 100 : 0.9, baseError: 1 }));
    expect(skillOf({ measure: 'cpu', origins } as unknown as MeasureJudgement).lower).toBeLessThanOrEqual(0);
  });
});
