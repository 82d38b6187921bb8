import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, ModelFormatError } from '../../../ml/model-format.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { History } from '../../../ml/recommend/history.js';
import { decodeInteractions, encodeInteractions } from '../../../ml/recommend/interactions-format.js';
import { buildInteractions } from '../../../ml/recommend/interactions.js';
import type { Interactions } from '../../../ml/recommend/interactions.js';
import { buildItemAttributes } from '../../../ml/recommend/item-attributes.js';
import { recommendItems } from '../../../ml/recommend/recommend-items.js';
import type { RecommendOptions } from '../../../ml/recommend/recommend-items.js';
import type { Recommender } from '../../../ml/recommend/recommender.js';
import { ItemScorer } from '../../../ml/recommend/recommender.js';
import { decodeRecommender, encodeRecommender } from '../../../ml/recommend/recommender-format.js';
import { fitRecommender } from '../../../ml/recommend/recommender-settings.js';
import type { Learner } from '../../../ml/recommend/recommender-settings.js';
import { topItems } from '../../../ml/recommend/top-items.js';
import { drawTastes } from './recommend-taste.js';

const ITEMS = 48;
const interactions = drawTastes(200, ITEMS, 4, 12, 8);
/** Item i has the taste i % 4, and every third also the attribute 4. */
const attributes = buildItemAttributes(
  Array.from({ length: ITEMS }, (_, item) => (item % 3 === 0 ? [item % 4, 4] : [item % 4])),
  5,
);
const LEARNERS: Learner[] = [
  { method: 'most-popular' },
  { method: 'item-neighbours', neighbours: 20, shrinkage: 10 },
  { method: 'ease', lambda: 20, userExponent: 0 },
  { method: 'implicit-als', factors: 8, regularization: 5, alpha: 10 },
];
const calibration = { x: [0, 0.1, 0.5], y: [0, 0.2, 0.4] };

function fit(learner: Learner, more: Partial<Recommender> = {}, withAttributes = true): Recommender {
  const settings = {
    learner,
    strength: 'log' as const,
    historyHalfLife: 50,
    popularityHalfLife: Infinity,
    popularityWeight: learner.method === 'most-popular' ? 1 : 0.1,
    contentWeight: learner.method === 'most-popular' ? 0 : 0.02,
  };
  const limits = { mostEaseItems: 100, keep: 30, iterations: 8, seed: 1 };
  const model = fitRecommender(interactions, settings, limits, withAttributes ? attributes : undefined);
  return { ...model, calibration, ...more };
}

const recommend = (model: Recommender, history: History, options: RecommendOptions) =>
  recommendItems(model, new ItemScorer(model), history, options);
const itemsOf = (list: { item: number }[]): number[] => list.map(({ item }) => item);

describe.each(LEARNERS)('recommendations by $method', (learner) => {
  const model = fit(learner);

  it('never hold what the user has, what is excluded, or anything twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -2, max: ITEMS + 2 }), { maxLength: 60 }),
        fc.array(fc.integer({ min: -2, max: ITEMS + 2 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 60 }),
        (items, exclude, limit) => {
          const list = recommend(model, { items }, { limit, exclude });
          const barred = new Set([...items, ...exclude].filter((item) => item >= 0 && item < ITEMS));
          expect(itemsOf(list).filter((item) => barred.has(item))).toEqual([]);
          expect(new Set(itemsOf(list)).size).toBe(list.length);
          expect(list.length).toBe(Math.min(limit, ITEMS - barred.size));
          for (const { score, reason } of list) {
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(1);
            if ('item' in reason) expect(items).toContain(reason.item);
          }
        },
      ),
    );
  });

  it('come in the same order whatever the order of the history, and in descending scores', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(ITEMS - 1), { maxLength: 20 }), fc.nat(1000), (items, seed) => {
        const prng = createPrng(seed);
        const times = items.map((item) => item * 1.5);
        const shuffled = items.map((item) => ({ item, key: prng.next() })).sort((a, b) => a.key - b.key);
        const list = recommend(model, { items, times }, { limit: 10 });
        const moved = { items: shuffled.map(({ item }) => item), times: shuffled.map(({ item }) => item * 1.5) };
        expect(recommend(model, moved, { limit: 10 })).toEqual(list);
        const scores = list.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
      }),
    );
  });

  it('are the most popular ones, and say so, for an unknown user', () => {
    const order = topItems(Float64Array.from(model.popularity), ITEMS);
    for (const items of [[], [-1, ITEMS, NaN]]) {
      const list = recommend(model, { items }, { limit: 7 });
      expect(itemsOf(list)).toEqual(order.slice(0, 7));
      expect(list.every(({ reason }) => reason.kind === 'popular_new_user')).toBe(true);
      const total = model.popularity.reduce((sum, value) => sum + value, 0);
      expect(list[0]!.score).toBeCloseTo(model.popularity[order[0]!]! / total, 6);
    }
  });

  it('count repeats in a history as its weight', () => {
    const once = recommend(model, { items: [3, 9], weights: [3, 1] }, { limit: 10 });
    expect(recommend(model, { items: [3, 3, 9, 3] }, { limit: 10 })).toEqual(once);
  });

  it('use nothing that an earlier request left behind', () => {
    const scorer = new ItemScorer(model);
    const fresh = recommendItems(model, scorer, { items: [1, 5] }, { limit: 10 });
    recommendItems(model, scorer, { items: [2, 30, 31] }, { limit: 10, attributes: [4], exclude: [7] });
    recommendItems(model, scorer, { items: [] }, { limit: 10 });
    expect(recommendItems(model, scorer, { items: [1, 5] }, { limit: 10 })).toEqual(fresh);
  });

  it('survive being written and read, to the bit', () => {
    for (const variant of [model, fit(learner, { calibration: undefined }, false)]) {
      expect(decodeRecommender(encodeRecommender(variant))).toEqual(variant);
    }
  });
});

describe('recommendations', () => {
  const model = fit(LEARNERS[2]!);

  it('name the item of the history that speaks most for each', () => {
    // Items of two tastes: what is of one taste must be explained by the item of that taste.
    const list = recommend(model, { items: [0, 1] }, { limit: 8 });
    const explained = list.filter(({ reason }) => reason.kind === 'because_of_item');
    expect(explained.length).toBeGreaterThan(3);
    const right = explained.filter(({ item, reason }) => 'item' in reason && item % 4 === reason.item % 4);
    expect(right.length / explained.length).toBeGreaterThan(0.7);
  });

  it('reach items that nobody has met through their attributes', () => {
    const cold = { ...interactions, items: ITEMS + 1 };
    const extended = buildItemAttributes(
      Array.from({ length: ITEMS + 1 }, (_, item) => (item % 3 === 0 ? [item % 4, 4] : [item % 4])),
      5,
    );
    const settings = { learner: LEARNERS[2]!, strength: 'presence' as const, historyHalfLife: Infinity };
    const blend = { popularityHalfLife: Infinity, popularityWeight: 0.1, contentWeight: 0.9 };
    const limits = { mostEaseItems: 100, keep: 30, iterations: 8, seed: 1 };
    const of = fitRecommender(cold, { ...settings, ...blend }, limits, extended);
    const found = recommend(of, { items: [0, 12, 24, 36] }, { limit: 49 }).find(({ item }) => item === ITEMS)!;
    expect(found.reason.kind).toBe('similar_content');
  });

  it('stay within the attributes that the context asks for', () => {
    for (const items of [[], [0, 5]]) {
      const list = recommend(model, { items }, { limit: 48, attributes: [4] });
      expect(list.length).toBeGreaterThan(10);
      expect(list.every(({ item }) => item % 3 === 0)).toBe(true);
    }
    expect(recommend(fit(LEARNERS[2]!, {}, false), { items: [] }, { limit: 5, attributes: [1] })).toEqual([]);
  });

  it('become less alike with more diversity, and keep to a cap for each attribute', () => {
    const likeness = (strength: number): number => {
      const list = itemsOf(recommend(model, { items: [0, 4, 8] }, { limit: 8, diversity: { strength } }));
      return list.flatMap((a) => list.filter((b) => b > a && a % 4 === b % 4)).length;
    };
    expect(likeness(0)).toBeGreaterThan(likeness(0.5));
    const plain = recommend(model, { items: [0, 4, 8] }, { limit: 8 });
    expect(recommend(model, { items: [0, 4, 8] }, { limit: 8, diversity: { strength: 0 } })).toEqual(plain);
    const capped = itemsOf(recommend(model, { items: [0] }, { limit: 8, diversity: { mostPerAttribute: 2 } }));
    for (let attribute = 0; attribute < 4; attribute++)
      expect(capped.filter((item) => item % 4 === attribute).length).toBeLessThanOrEqual(2);
    for (const diversity of [{ strength: 1.1 }, { strength: NaN }, { mostPerAttribute: 0 }])
      expect(() => recommend(model, { items: [] }, { limit: 3, diversity })).toThrow(RangeError);
  });

  it('are refused for histories and limits that make no sense', () => {
    for (const limit of [0, -1, 1.5, NaN])
      expect(() => recommend(model, { items: [] }, { limit })).toThrow(/limit must be/);
    expect(() => recommend(model, { items: [1], times: [] }, { limit: 1 })).toThrow(/1 items but 0 times/);
    expect(() => recommend(model, { items: [1], weights: [0] }, { limit: 1 })).toThrow(/weight 0/);
    expect(() => recommend(model, { items: [1], times: [NaN] }, { limit: 1 })).toThrow(/time NaN/);
  });

  it('count old entries of a history less', () => {
    const recent = recommend(model, { items: [0, 1], times: [0, 500] }, { limit: 6 });
    const older = recommend(model, { items: [0, 1], times: [500, 0] }, { limit: 6 });
    const ofTaste = (list: { item: number }[], taste: number): number =>
      list.filter(({ item }) => item % 4 === taste).length;
    expect(ofTaste(recent, 1)).toBeGreaterThan(ofTaste(older, 1));
  });
});

describe('the best items', () => {
  it('are those of a full sort', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 40 }), fc.nat(45), (list, limit) => {
        const scores = Float64Array.from(list, (value) => (value === 0 ? -Infinity : value));
        const sorted = [...scores.keys()]
          .filter((i) => scores[i] !== -Infinity)
          .sort((a, b) => scores[b]! - scores[a]! || a - b);
        expect(topItems(scores, limit)).toEqual(sorted.slice(0, limit));
      }),
    );
  });
});

describe('a file of histories', () => {
  const bytes = encodeInteractions(interactions);

  it('comes back equal in every bit, also without anyone in it', () => {
    expect(decodeInteractions(bytes)).toEqual(interactions);
    const empty = buildInteractions({ users: 0, items: 0, user: [], item: [] });
    expect(decodeInteractions(encodeInteractions(empty))).toEqual(empty);
  });

  it('is refused when any bit is flipped or it is cut short', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << bit;
        expect(() => decodeInteractions(flipped)).toThrow(ModelFormatError);
        expect(() => decodeInteractions(bytes.subarray(0, at))).toThrow(ModelFormatError);
      }),
    );
  });

  it('is refused, or holds indices in range, whatever a forger writes with a right checksum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: bytes.length - 4 }), fc.nat(0xffffffff), (at, value) => {
        const forged = bytes.slice();
        const view = new DataView(forged.buffer);
        view.setUint32(at, value, true);
        view.setUint32(12, crc32(forged.subarray(16)), true);
        let decoded: Interactions;
        try {
          decoded = decodeInteractions(forged);
        } catch (error) {
          expect(error).toBeInstanceOf(ModelFormatError);
          return;
        }
        expect(decoded.item.every((item) => item >= 0 && item < decoded.items)).toBe(true);
        expect(decoded.weight.every((weight) => weight > 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a recommender file', () => {
  it('is refused when any bit is flipped, when it is cut short, and when it is another file', () => {
    const bytes = encodeRecommender(fit(LEARNERS[1]!));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << bit;
        expect(() => decodeRecommender(flipped)).toThrow(ModelFormatError);
        expect(() => decodeRecommender(bytes.subarray(0, at))).toThrow(ModelFormatError);
      }),
    );
    expect(() => decodeRecommender(new Uint8Array(200))).toThrow(/does not begin with the magic/);
  });

  it.each(LEARNERS)(
    'is refused, or answers with numbers, whatever a forger writes with a right checksum ($method)',
    (learner) => {
      const bytes = encodeRecommender(fit(learner));
      const word = fc.oneof(fc.nat(60), fc.nat(0xffffffff));
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.integer({ min: 16, max: bytes.length - 4 }), word), { minLength: 1, maxLength: 3 }),
          (writes) => {
            const forged = bytes.slice();
            const view = new DataView(forged.buffer);
            for (const [at, value] of writes) view.setUint32(at, value, true);
            view.setUint32(12, crc32(forged.subarray(16)), true);
            let model: Recommender;
            try {
              model = decodeRecommender(forged);
            } catch (error) {
              expect(error).toBeInstanceOf(ModelFormatError);
              return;
            }
            const list = recommend(model, { items: [1, 2, 3] }, { limit: 5 });
            for (const { item, score } of list) {
              expect(item < ITEMS).toBe(true);
              expect(score >= 0 && score <= 1).toBe(true);
            }
          },
        ),
        { numRuns: 300 },
      );
    },
  );
});
