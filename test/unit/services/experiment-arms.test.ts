import { describe, expect, it } from 'vitest';
import type { AdaptiveAllocation } from '../../../core/decisions/allocation.js';
import {
  BUCKETS,
  drawArm,
  freeSlice,
  layerBucketOf,
  type ExperimentSlice,
} from '../../../services/experiments/experiment-arms.js';

const ENTITIES = Array.from({ length: 20_000 }, (_, at) => `user_${at}`);
const ARMS = ['a', 'b', 'c'].map((arm, at) => ({ arm, weight: [0.5, 0.3, 0.2][at]! }));
const opened = (...chances: number[][]): AdaptiveAllocation => ({
  batches: 4,
  floor: 0.05,
  context: [],
  opened: chances.map((of, window) => ({ window, at: '2026-01-01T00:00:00Z', chances: { '': of } })),
});

/** Five standard errors of a share: a sound draw is off by more about once in a million. */
const off = (share: number, count: number) => 5 * Math.sqrt((share * (1 - share)) / count);

describe('the arm of an entity', () => {
  it('follows the weights, is the same each time, and says its chance', () => {
    const counts = new Map<string, number>();
    for (const entity of ENTITIES) {
      const drawn = drawArm({ id: 'exp-1', arms: ARMS }, entity, {})!;
      expect(drawArm({ id: 'exp-1', arms: ARMS }, entity, { any: 1 })).toEqual(drawn);
      expect(drawn.propensity).toBe(drawn.arm.weight);
      counts.set(drawn.arm.arm, (counts.get(drawn.arm.arm) ?? 0) + 1);
    }
    for (const { arm, weight } of ARMS)
      expect(Math.abs(counts.get(arm)! / ENTITIES.length - weight)).toBeLessThan(off(weight, ENTITIES.length));
  });

  it('never changes as further batches are opened: each entity keeps the chances of its own batch', () => {
    const steps = [
      opened([0.5, 0.3, 0.2]),
      opened([0.5, 0.3, 0.2], [0.9, 0.05, 0.05]),
      opened([0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]),
    ];
    const first = new Map<string, { arm: string; stratum?: string; propensity: number }>();
    const joined = steps.map((allocation) => {
      let count = 0;
      for (const entity of ENTITIES) {
        const drawn = drawArm({ id: 'exp-1', arms: ARMS, allocation }, entity, {});
        if (!drawn) {
          expect(first.has(entity), 'who takes part goes on to').toBe(false);
          continue;
        }
        count++;
        const { stratum, propensity } = drawn;
        const seen = { arm: drawn.arm.arm, stratum, propensity };
        if (first.has(entity)) expect(seen).toEqual(first.get(entity));
        first.set(entity, seen);
      }
      return count / ENTITIES.length;
    });
    [0.25, 0.5, 1].forEach((share, at) => expect(Math.abs(joined[at]! - share)).toBeLessThanOrEqual(off(0.25, 20_000)));
    // In each stratum the arms have the chances that are written down.
    for (const stratum of ['0', '1', '2', '3']) {
      const of = [...first.values()].filter((entity) => entity.stratum === stratum);
      for (const { arm } of ARMS) {
        const mine = of.filter((entity) => entity.arm === arm);
        const chance = mine[0]!.propensity;
        expect(Math.abs(mine.length / of.length - chance)).toBeLessThan(off(chance, of.length));
      }
    }
  });

  it('is drawn by the context of the request, and by nobody’s where the context has no chances', () => {
    const allocation: AdaptiveAllocation = {
      ...opened(),
      batches: 1,
      context: [{ feature: 'plan', values: ['pro'] }],
      opened: [{ window: 0, at: '', chances: { 'plan=pro': [1, 0, 0], 'plan=other': [0, 0, 1] } }],
    };
    const of = (features: object) => drawArm({ id: 'exp-2', arms: ARMS, allocation }, 'user_1', { ...features });
    expect(of({ plan: 'pro' })).toMatchObject({ arm: { arm: 'a' }, stratum: '0: plan=pro', propensity: 1 });
    expect(of({})).toMatchObject({ arm: { arm: 'c' }, stratum: '0: plan=other' });
  });
});

describe('layers', () => {
  it('are independent: who is in a slice of one says nothing about the slice or the arm of another', () => {
    const inFirst = (layer: string) => (entity: string) => layerBucketOf(layer, entity) < BUCKETS / 2;
    const one = ENTITIES.filter(inFirst('checkout'));
    const both = one.filter(inFirst('search'));
    expect(Math.abs(both.length / one.length - 0.5)).toBeLessThan(off(0.5, one.length));
    const armOf = (entity: string) => drawArm({ id: 'exp-1', arms: ARMS }, entity, {})!.arm.arm;
    const others = ENTITIES.filter((entity) => !one.includes(entity)).slice(0, 5000);
    const share = (of: readonly string[]) => of.filter((entity) => armOf(entity) === 'a').length / of.length;
    expect(Math.abs(share(one) - 0.5)).toBeLessThan(off(0.5, one.length));
    expect(Math.abs(share(others) - 0.5)).toBeLessThan(off(0.5, others.length));
    expect(Math.abs(share(both) - 0.5)).toBeLessThan(off(0.5, both.length));
  });

  it('give slices that never overlap, until they are full', () => {
    const taken: ExperimentSlice[] = [];
    for (const traffic of [30, 50, 20]) taken.push(freeSlice(taken, traffic)!);
    expect(taken.map(({ firstBucket, endBucket }) => [firstBucket, endBucket])).toEqual([
      [0, 3000],
      [3000, 8000],
      [8000, 10000],
    ]);
    expect(freeSlice(taken, 0.01)).toBeUndefined();
    expect(freeSlice([taken[0]!, taken[2]!], 50)).toEqual(taken[1]);
  });
});
