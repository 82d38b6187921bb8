import { describe, expect, it } from 'vitest';
import { holdOutLast } from '../../../ml/recommend/hold-out.js';
import { buildInteractions } from '../../../ml/recommend/interactions.js';
import { buildItemAttributes } from '../../../ml/recommend/item-attributes.js';
import { judgeRecommender } from '../../../ml/recommend/judge-recommender.js';
import { rankOf } from '../../../ml/recommend/ranking-quality.js';
import { fitRecommender } from '../../../ml/recommend/recommender-settings.js';
import { trainRecommender } from '../../../ml/recommend/train-recommender.js';
import { drawTastes } from './recommend-taste.js';

const LIMITS = { mostEaseItems: 1000, keep: 500, iterations: 10, seed: 1 };
const BLEND = {
  strength: 'presence' as const,
  historyHalfLife: Infinity,
  popularityHalfLife: Infinity,
  popularityWeight: 0,
  contentWeight: 0,
};

describe('training a recommender', () => {
  const all = drawTastes(1200, 240, 12, 15, 1);
  const outer = holdOutLast(all, 5, 1);
  const { model, report } = trainRecommender({ interactions: outer.rest, seed: 1 });

  it('beats popularity twice over, and is no worse than item neighbours by 2 %, where users have tastes', () => {
    const judge = (learner: Parameters<typeof fitRecommender>[1]['learner']) =>
      judgeRecommender(fitRecommender(outer.rest, { ...BLEND, learner }, LIMITS), outer, 1).ndcgAt10;
    const ours = judgeRecommender(model, outer, 1).ndcgAt10;
    const popular = judge({ method: 'most-popular' });
    expect(ours).toBeGreaterThan(2 * popular);
    expect(ours).toBeGreaterThan(0.98 * judge({ method: 'item-neighbours', neighbours: 50, shrinkage: 10 }));
    expect(judge({ method: 'implicit-als', factors: 16, regularization: 20, alpha: 10 })).toBeGreaterThan(2 * popular);
    expect(report.refusal).toBeUndefined();
    expect(report.comparison!.lower).toBeGreaterThan(0);
  });

  it('says beforehand how good it will be, within what chance allows', () => {
    const later = judgeRecommender(model, outer, 1);
    const { recallAt10, intervals } = report.judged!;
    expect(intervals.recallAt10.lower).toBeLessThanOrEqual(recallAt10);
    // Two figures of 1,200 users each, of which either may be off by 0.03 (95 %).
    expect(Math.abs(later.recallAt10 - recallAt10)).toBeLessThan(0.06);
    expect(later.coverage).toBeGreaterThan(0.5);
  });

  it('gives scores that are about the share of hits at their height', () => {
    const later = judgeRecommender(model, outer, 1);
    const { x, y } = model.calibration!;
    expect(Math.min(...y)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...y)).toBeLessThanOrEqual(1);
    const chance = (share: number): number => {
      const above = x.findIndex((value) => value >= share);
      return above < 0 ? y.at(-1)! : y[above]!;
    };
    const expected = later.shares.reduce((sum, share) => sum + chance(share), 0);
    const hits = later.hits.reduce((sum, hit) => sum + hit, 0);
    // About 900 hits: 10 % are three of their standard errors.
    expect(Math.abs(expected / hits - 1)).toBeLessThan(0.1);
  });

  it('gives the same for the same seed, to the bit', () => {
    const small = drawTastes(300, 60, 6, 10, 2);
    const train = () => trainRecommender({ interactions: small, seed: 5 });
    expect(train()).toEqual(train());
  });

  it('refuses where users differ in nothing, and answers with the popular items', () => {
    let refused = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const { model, report } = trainRecommender({ interactions: drawTastes(300, 60, 6, 1, 10 + seed), seed });
      if (!report.refusal) continue;
      refused++;
      expect(report.refusal.code).toBe('no_better_than_popular');
      expect(model.method).toBe('most-popular');
      expect(model.preference.kind).toBe('none');
    }
    // Each is allowed a false success of 2.5 % by chance: two of four have a chance of 0.4 %.
    expect(refused).toBeGreaterThanOrEqual(3);
  });

  it.each([
    ['no events', { users: 3, items: 3, user: [], item: [] }],
    ['no users and no items', { users: 0, items: 0, user: [], item: [] }],
    ['one item', { users: 50, items: 1, user: Array.from({ length: 50 }, (_, u) => u), item: Array(50).fill(0) }],
    ['few users', { users: 2, items: 4, user: [0, 0, 0, 0, 1, 1, 1], item: [0, 1, 2, 3, 0, 1, 2] }],
  ])('refuses %s with a reason', (_, events) => {
    const { model, report } = trainRecommender({ interactions: buildInteractions(events), seed: 1 });
    expect(report.refusal).toMatchObject({ code: 'too_few_users', needed: 30 });
    expect(model.items).toBe(events.items);
  });

  it('uses attributes and strengths where they are given', () => {
    const base = drawTastes(400, 60, 6, 10, 3);
    const attributes = buildItemAttributes(
      Array.from({ length: 60 }, (_, item) => [item % 6]),
      6,
    );
    const weighed = { ...base, weight: base.weight.map((_, at) => 1 + (at % 3)) };
    const { model, report } = trainRecommender({ interactions: weighed, attributes, seed: 1 });
    expect(model.contentWeight).toBeGreaterThan(0);
    expect(new Set(report.trials.map(({ settings }) => settings.strength)).size).toBe(2);
    const few = buildItemAttributes([[0]], 1);
    expect(() => trainRecommender({ interactions: base, attributes: few, seed: 1 })).toThrow(/attributes of 1 items/);
  });

  it('learns that tastes move, where the latest items say more', () => {
    // Each user changes taste half way: old items mislead.
    const first = drawTastes(400, 96, 8, 40, 4);
    const second = drawTastes(400, 96, 8, 40, 5);
    const user: number[] = [];
    const item: number[] = [];
    const time: number[] = [];
    [first, second].forEach((part, half) => {
      for (let u = 0; u < part.users; u++) {
        for (let at = part.offsets[u]!; at < part.offsets[u + 1]!; at++) {
          user.push(u);
          item.push(part.item[at]!);
          time.push(part.time[at]! + 200 * half);
        }
      }
    });
    const interactions = buildInteractions({ users: 400, items: 96, user, item, time });
    expect(trainRecommender({ interactions, seed: 1 }).report.settings.historyHalfLife).toBeLessThan(Infinity);
  });
});

describe('a rank', () => {
  it('shares the places of equal scores, so that a model of zeros wins nothing', () => {
    expect(rankOf(3, new Float64Array(100))).toBe(49.5);
    expect(rankOf(1, Float64Array.of(1, 3, 2))).toBe(0);
    expect(rankOf(0, Float64Array.of(1, 3, -Infinity))).toBe(1);
  });
});
