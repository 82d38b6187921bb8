import { describe, expect, it } from 'vitest';
import { armOf, bucketOf } from '../../../services/serving/assign-arm.js';

const ENTITIES = Array.from({ length: 20_000 }, (_, at) => `user_${at}`);
const counts = (salt: string, share: number) => {
  const seen = { candidate: 0, baseline: 0, rest: 0 };
  for (const entity of ENTITIES) seen[armOf(salt, entity, share)]++;
  return seen;
};

describe('the arm of an entity', () => {
  it.each([0.01, 1, 5, 25, 50])('at %d %% has two cohorts of that size, within five standard errors', (share) => {
    const { candidate, baseline, rest } = counts('dep-1', share);
    const expected = (ENTITIES.length * share) / 100;
    const bound = 5 * Math.sqrt(expected) + 1;
    expect(Math.abs(candidate - expected)).toBeLessThan(bound);
    expect(Math.abs(baseline - expected)).toBeLessThan(bound);
    expect(candidate + baseline + rest).toBe(ENTITIES.length);
  });

  it('stays while the share grows', () => {
    for (const entity of ENTITIES.slice(0, 3000)) {
      const path = [1, 5, 10, 25, 50].map((share) => armOf('dep-1', entity, share));
      const first = path.findIndex((arm) => arm !== 'rest');
      if (first >= 0) expect(new Set(path.slice(first)).size, entity).toBe(1);
    }
    // At half nobody is left over.
    expect(counts('dep-1', 50).rest).toBe(0);
  });

  it('is drawn anew for another rollout: those who saw the last new version are not the first to see the next', () => {
    const first = ENTITIES.filter((entity) => armOf('dep-1', entity, 10) === 'candidate');
    const again = first.filter((entity) => armOf('dep-2', entity, 10) === 'candidate').length / first.length;
    expect(again).toBeGreaterThan(0.06);
    expect(again).toBeLessThan(0.14);
  });

  it('spreads entities evenly over the buckets', () => {
    const tenths = new Array<number>(10).fill(0);
    for (const entity of ENTITIES) tenths[Math.floor(bucketOf('s', entity) / 1000)]!++;
    const chiSquare = tenths.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    // The 99.99 % point of chi-square with nine degrees of freedom.
    expect(chiSquare).toBeLessThan(33.7);
  });

  it('does not mix up where salt ends and entity begins', () => {
    expect(bucketOf('a', 'bc')).not.toBe(bucketOf('ab', 'c'));
  });
});
