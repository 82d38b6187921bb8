import { describe, expect, it } from 'vitest';
import {
  contextKeyOf,
  contextKeys,
  contextOfStratum,
  stratumOf,
  type ContextFeature,
} from '../../../core/decisions/allocation.js';
import type { ExperimentArm } from '../../../core/decisions/experiment-evidence.js';
import { thompsonChances } from '../../../core/decisions/thompson-chances.js';

const BINARY = { kind: 'binary', better: 'rises', floor: 0.1, context: '' } as const;

/** Entities by stratum: `[stratum, propensity, entities, total]`, each value total / entities with a variance of a quarter. */
function arm(name: string, cells: readonly (readonly [string, number, number, number])[], more = {}): ExperimentArm {
  const strata = cells.map(([stratum, propensity, entities, total]) => {
    const mean = total / Math.max(1, entities);
    const sums = {
      entities,
      requests: entities,
      total,
      requestsSquared: entities,
      totalSquared: entities * (mean * mean + 0.25),
      crossed: total,
      entitiesWithEvents: total,
    };
    return { stratum, propensity, assigned: entities, sums };
  });
  const { sums, assigned } = strata[0] ?? { assigned: 0, sums: undefined as never };
  return { arm: name, weight: 0.5, assigned, sums, strata, ...more };
}

describe('the chances of the next batch', () => {
  it('are the weights but for the floor, while nothing is known', () => {
    const none = [arm('a', [], { weight: 0.75 }), arm('b', [], { weight: 0.25 })];
    expect(thompsonChances(none, { ...BINARY, kind: 'mean' })).toEqual([0.1 + 0.8 * 0.75, 0.1 + 0.8 * 0.25]);
    // A beta posterior of no entity is the same for both.
    expect(thompsonChances(none, BINARY)[0]).toBeCloseTo(0.5, 6);
  });

  it.each(['binary', 'mean', 'ratio'] as const)('favour what looks better in a %s, down to the floor', (kind) => {
    const arms = [arm('a', [['0', 0.5, 1000, 300]]), arm('b', [['0', 0.5, 1000, 450]])];
    const chances = thompsonChances(arms, { ...BINARY, kind });
    expect(chances[0]).toBeCloseTo(0.1, 3);
    expect(chances[0]! + chances[1]!).toBeCloseTo(1, 12);
    expect(thompsonChances(arms, { ...BINARY, kind, better: 'falls' })[1]).toBeCloseTo(0.1, 3);
  });

  it('are not misled by an arm that got the entities of a bad time', () => {
    // In each stratum both arms are alike; b has nine tenths of the poor one.
    const arms = [
      arm('a', [
        ['0', 0.5, 500, 200],
        ['1', 0.1, 100, 10],
      ]),
      arm('b', [
        ['0', 0.5, 500, 200],
        ['1', 0.9, 900, 90],
      ]),
    ];
    for (const chance of thompsonChances(arms, BINARY)) expect(chance).toBeCloseTo(0.5, 1);
  });

  it('are learned in each context by itself', () => {
    const of = (good: number, bad: number) =>
      [
        ['0: plan=pro', 0.5, 500, good],
        ['0: plan=other', 0.5, 500, bad],
      ] as const;
    const arms = [arm('a', of(100, 300)), arm('b', of(300, 100))];
    expect(thompsonChances(arms, { ...BINARY, context: 'plan=pro' })[1]).toBeCloseTo(0.9, 3);
    expect(thompsonChances(arms, { ...BINARY, context: 'plan=other' })[1]).toBeCloseTo(0.1, 3);
  });

  it('are 0 for an arm that was taken back, and at least the floor for all others', () => {
    const cells = [['0', 0.3, 1000, 300]] as const;
    const settled = { decision: 'harmful' } as never;
    const chances = thompsonChances([arm('a', cells), arm('b', cells, { settled }), arm('c', cells)], BINARY);
    expect(chances[1]).toBe(0);
    expect(chances[0]! + chances[2]!).toBeCloseTo(1, 12);
    expect(Math.min(chances[0]!, chances[2]!)).toBeGreaterThanOrEqual(0.1);
  });
});

describe('contexts', () => {
  const context: ContextFeature[] = [
    { feature: 'plan', values: ['free', 'pro'] },
    { feature: 'usage', edges: [10, 50] },
  ];

  it('are all combinations of the declared levels, with one for what is not known', () => {
    expect(contextKeys([])).toEqual(['']);
    expect(contextKeys(context)).toHaveLength(3 * 4);
    const keys = new Set(contextKeys(context));
    for (const plan of ['free', 'pro', 'gold', null, undefined, 3])
      for (const usage of [-1, 9.99, 10, 49, 50, 1e9, null, undefined, 'many', NaN])
        expect(keys.has(contextKeyOf(context, { plan, usage }))).toBe(true);
    expect(contextKeyOf(context, { plan: 'pro', usage: 10 })).toBe('plan=pro, usage=10-50');
    expect(contextKeyOf(context, { usage: 50 })).toBe('plan=other, usage=>=50');
  });

  it('are found again in the name of a stratum', () => {
    for (const key of ['', 'plan=pro', 'plan=1: 2'])
      for (const batch of [0, 12]) expect(contextOfStratum(stratumOf(batch, key))).toBe(key);
  });
});
