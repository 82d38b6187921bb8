import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { invertSymmetric } from '../../../ml/recommend/cholesky.js';
import { fitEase } from '../../../ml/recommend/ease.js';
import { TasteFolder } from '../../../ml/recommend/fold-in.js';
import { holdOutLast } from '../../../ml/recommend/hold-out.js';
import { fitImplicitAls } from '../../../ml/recommend/implicit-als.js';
import { buildInteractions } from '../../../ml/recommend/interactions.js';
import { attributeSimilarity, buildItemAttributes } from '../../../ml/recommend/item-attributes.js';
import { fitItemNeighbours } from '../../../ml/recommend/item-neighbours.js';
import type { ItemWeights } from '../../../ml/recommend/item-weights.js';
import { weightBetween } from '../../../ml/recommend/item-weights.js';
import { itemPopularity } from '../../../ml/recommend/most-popular.js';
import { readGolden } from './golden.js';

interface Golden {
  users: number;
  items: number;
  user: number[];
  item: number[];
  weight: number[];
  ease: { lambda: number; userExponent: number; weights: number[] }[];
  cosine: { shrinkage: number; weights: number[] }[];
  als: {
    regularization: number;
    alpha: number;
    vectors: number[];
    histories: { items: number[]; weights: number[]; taste: number[]; scores: number[] }[];
  };
}

const golden = readGolden<Golden>('recommend.json');
const interactions = buildInteractions(golden);
const dense = (weights: ItemWeights): number[] =>
  Array.from({ length: weights.items ** 2 }, (_, at) =>
    weightBetween(weights, Math.floor(at / weights.items), at % weights.items),
  );
const largestDifference = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

/** Random events of few users and items, with repeats. */
const eventsOf = fc
  .record({ users: fc.integer({ min: 1, max: 8 }), items: fc.integer({ min: 1, max: 8 }) })
  .chain(({ users, items }) =>
    fc.record({
      users: fc.constant(users),
      items: fc.constant(items),
      events: fc.array(
        fc.record({
          user: fc.nat(users - 1),
          item: fc.nat(items - 1),
          weight: fc.integer({ min: 1, max: 3 }),
          time: fc.nat(9),
        }),
        { minLength: 1, maxLength: 40 },
      ),
    }),
  );
type Events = typeof eventsOf extends fc.Arbitrary<infer T> ? T : never;
const build = ({ users, items, events }: Events) =>
  buildInteractions({
    users,
    items,
    user: events.map(({ user }) => user),
    item: events.map(({ item }) => item),
    weight: events.map(({ weight }) => weight),
    time: events.map(({ time }) => time),
  });

describe('interactions', () => {
  it('are the same in whatever order the events come, and a weight is so many repeats', () => {
    fc.assert(
      fc.property(eventsOf, (sample) => {
        const expected = build(sample);
        const repeated = sample.events.flatMap((event) =>
          Array.from({ length: event.weight }, () => ({ ...event, weight: 1 })),
        );
        expect(build({ ...sample, events: repeated.reverse() })).toEqual(expected);
      }),
    );
  });

  it('refuse events that do not fit, and name the event', () => {
    const of = (more: object) => () => buildInteractions({ users: 2, items: 2, user: [0, 1], item: [0, 1], ...more });
    expect(of({ item: [0, 2] })).toThrow(/event 1 has the item 2/);
    expect(of({ user: [-1, 0] })).toThrow(/event 0 has the user -1/);
    expect(of({ weight: [1, 0] })).toThrow(/event 1 has the weight 0/);
    expect(of({ time: [NaN, 0] })).toThrow(/event 0 has the time NaN/);
    expect(of({ time: [1] })).toThrow(/column time has 1 events/);
    expect(of({ users: NaN })).toThrow(RangeError);
  });

  it('give away the last of each user who has enough, and nothing else', () => {
    fc.assert(
      fc.property(eventsOf, fc.integer({ min: 2, max: 4 }), (sample, least) => {
        const all = build(sample);
        const { rest, user, target } = holdOutLast(all, least, 3);
        expect(rest.item.length + user.length).toBe(all.item.length);
        for (let k = 0; k < user.length; k++) {
          const [start, end] = [all.offsets[user[k]!]!, all.offsets[user[k]! + 1]!];
          expect(end - start).toBeGreaterThanOrEqual(least);
          if (all.hasTimes) expect(target[k]).toBe(all.item[end - 1]);
          const kept = rest.item.slice(rest.offsets[user[k]!], rest.offsets[user[k]! + 1]);
          expect(Int32Array.of(...kept, target[k]!).sort()).toEqual(all.item.slice(start, end).sort());
        }
      }),
    );
  });
});

describe('the inverse of a symmetric matrix', () => {
  it.each([1, 2, 47, 48, 49, 97, 150])('times the matrix is the identity, %i rows', (n) => {
    const prng = createPrng(5, n);
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = prng.nextGaussian() / Math.sqrt(n);
      a[i * n + i] = 4;
    }
    // Only the lower triangle may be read.
    const inverse = a.map((value, at) => (at % n > Math.floor(at / n) ? NaN : value));
    invertSymmetric(inverse, n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += a[i * n + k]! * inverse[k * n + j]!;
        // Condition below 10: a few hundred roundings of 1e-16 leave room.
        expect(Math.abs(sum - (i === j ? 1 : 0))).toBeLessThan(1e-12);
      }
  });

  it('is refused where the matrix is not positive definite', () => {
    expect(() => invertSymmetric(Float64Array.of(1, 2, 2, 1), 2)).toThrow(/not positive definite/);
    expect(() => invertSymmetric(new Float64Array(3), 2)).toThrow(/needs 4 numbers/);
  });
});

describe('EASE', () => {
  // Kept as 32-bit floats of size up to 1, which round by 6e-8; the method's gate is 1e-6.
  it.each(golden.ease)(
    'equals the dense inverse of NumPy (λ $lambda, exponent $userExponent)',
    ({ weights, ...parameters }) => {
      expect(largestDifference(dense(fitEase(interactions, parameters)), weights)).toBeLessThan(1e-6);
    },
  );

  it('keeps the largest weights of each item and the most taken items', () => {
    const whole = fitEase(interactions, { lambda: 20 });
    const pruned = fitEase(interactions, { lambda: 20, keep: 5 });
    for (let item = 0; item < interactions.items; item++) {
      const row = (weights: ItemWeights) =>
        Array.from(weights.weight.subarray(weights.offsets[item], weights.offsets[item + 1]));
      const largest = row(whole)
        .sort((a, b) => Math.abs(b) - Math.abs(a))
        .slice(0, 5);
      expect(row(pruned).sort((a, b) => Math.abs(b) - Math.abs(a))).toEqual(largest);
    }
    const few = fitEase(interactions, { lambda: 20, mostItems: 10 });
    const taken = new Set(few.item);
    const counts = itemPopularity({ ...interactions, weight: interactions.weight.map(() => 1) });
    const tenth = [...counts].sort((a, b) => b - a)[9]!;
    for (const item of taken) expect(counts[item]).toBeGreaterThanOrEqual(tenth);
    expect(taken.size).toBe(10);
  });

  it('refuses parameters that are out of range', () => {
    expect(() => fitEase(interactions, { lambda: 0 })).toThrow(/lambda must be above 0/);
    expect(() => fitEase(interactions, { userExponent: 2 })).toThrow(/userExponent/);
    expect(() => fitEase(interactions, { mostItems: 0 })).toThrow(/mostItems/);
  });
});

describe('item neighbours', () => {
  it.each(golden.cosine)('equal the cosine of NumPy (shrinkage $shrinkage)', ({ shrinkage, weights }) => {
    // 32-bit floats up to 1.
    expect(
      largestDifference(dense(fitItemNeighbours(interactions, { neighbours: 40, shrinkage })), weights),
    ).toBeLessThan(1e-6);
  });

  it('refuse parameters that are out of range', () => {
    expect(() => fitItemNeighbours(interactions, { neighbours: 0, shrinkage: 1 })).toThrow(/neighbours/);
    expect(() => fitItemNeighbours(interactions, { neighbours: 5, shrinkage: -1 })).toThrow(/shrinkage/);
  });
});

describe('models of item weights', () => {
  const models = {
    ease: (sample: Events) => fitEase(build(sample), { lambda: 2 }),
    neighbours: (sample: Events) => fitItemNeighbours(build(sample), { neighbours: 100, shrinkage: 1 }),
  };

  it.each(Object.entries(models))('%s do not depend on the order of users', (_, fit) => {
    fc.assert(
      fc.property(eventsOf, (sample) => {
        const mirrored = {
          ...sample,
          events: sample.events.map((event) => ({ ...event, user: sample.users - 1 - event.user })),
        };
        // Sums in another order: 1e-6 is far above their rounding and the 32-bit floats.
        expect(largestDifference(dense(fit(mirrored)), dense(fit(sample)))).toBeLessThan(1e-6);
      }),
    );
  });

  it.each(Object.entries(models))('%s follow the items when they are renumbered', (_, fit) => {
    fc.assert(
      fc.property(eventsOf, (sample) => {
        const { items } = sample;
        const mirrored = {
          ...sample,
          events: sample.events.map((event) => ({ ...event, item: items - 1 - event.item })),
        };
        const weights = dense(fit(sample));
        const expected = weights.map((_, at) => weights[items * items - 1 - at]!);
        expect(largestDifference(dense(fit(mirrored)), expected)).toBeLessThan(1e-6);
      }),
    );
  });
});

describe('alternating least squares', () => {
  it('finds the vector of a history as NumPy does, and explains its scores in full', () => {
    const { vectors, regularization, alpha, histories } = golden.als;
    const factors = { items: 40, factors: 8, values: Float32Array.from(vectors), regularization, alpha };
    const folder = new TasteFolder(factors);
    for (const { items, weights, taste, scores } of histories) {
      const folded = folder.fold(items, weights);
      // The vectors are 32-bit floats here and doubles there.
      expect(largestDifference([...folded.taste], taste)).toBeLessThan(1e-5);
      for (const item of [0, 7, 33]) {
        const sum = items.reduce((total, from, h) => total + folder.contribution(folded, from, weights[h]!, item), 0);
        expect(sum).toBeCloseTo(scores[item]!, 5);
      }
    }
  });

  it('lowers the cost that it minimises with every sweep, and is the same for the same seed', () => {
    const parameters = { factors: 6, regularization: 3, alpha: 5, seed: 4 };
    const cost = (iterations: number): number => {
      const model = fitImplicitAls(interactions, { ...parameters, iterations });
      const folder = new TasteFolder(model);
      let total = 3 * model.values.reduce((sum, value) => sum + value ** 2, 0);
      for (let u = 0; u < interactions.users; u++) {
        const [start, end] = [interactions.offsets[u]!, interactions.offsets[u + 1]!];
        const [items, weights] = [interactions.item.subarray(start, end), interactions.weight.subarray(start, end)];
        const { taste } = folder.fold(items, weights);
        total += 3 * taste.reduce((sum, value) => sum + value ** 2, 0);
        for (let i = 0; i < 40; i++) {
          const score = taste.reduce((sum, value, k) => sum + value * model.values[i * 6 + k]!, 0);
          const at = items.indexOf(i);
          total += at >= 0 ? (1 + 5 * weights[at]!) * (1 - score) ** 2 : score ** 2;
        }
      }
      return total;
    };
    const costs = [1, 2, 4, 8, 16].map(cost);
    for (let k = 1; k < costs.length; k++) expect(costs[k]).toBeLessThan(costs[k - 1]!);
    const fit = () => fitImplicitAls(interactions, { ...parameters, iterations: 3 });
    expect(fit()).toEqual(fit());
  });

  it('refuses parameters that are out of range', () => {
    const fine = { factors: 4, regularization: 1, alpha: 1, iterations: 1, seed: 1 };
    for (const wrong of [{ factors: 0 }, { factors: 513 }, { regularization: 0 }, { alpha: NaN }, { iterations: 0 }])
      expect(() => fitImplicitAls(interactions, { ...fine, ...wrong })).toThrow(RangeError);
  });
});

describe('popularity', () => {
  it('halves an interaction for each half-life before the last one', () => {
    const of = buildInteractions({ users: 3, items: 2, user: [0, 1, 2], item: [0, 1, 1], time: [0, 10, 20] });
    expect([...itemPopularity(of)]).toEqual([1, 2]);
    expect([...itemPopularity(of, 10)]).toEqual([0.25, 1.5]);
    expect(() => itemPopularity(of, 0)).toThrow(/half-life/);
  });
});

describe('attributes of items', () => {
  it('make items alike that share rare ones', () => {
    const of = buildItemAttributes([[0, 1], [0, 2], [0, 1, 1], [], [2, 0]], 3);
    expect(attributeSimilarity(of, 0, 2)).toBeCloseTo(1, 6);
    expect(attributeSimilarity(of, 0, 1)).toBeGreaterThan(0);
    expect(attributeSimilarity(of, 0, 1)).toBeLessThan(0.5);
    expect(attributeSimilarity(of, 0, 3)).toBe(0);
    expect(() => buildItemAttributes([[3]], 3)).toThrow(/item 0 has the attribute 3/);
  });
});
