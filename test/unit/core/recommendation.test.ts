import { describe, expect, it } from 'vitest';
import {
  recommendRequestSchema,
  recommendSettingsSchema,
  shapeRecommendations,
} from '../../../core/kinds/recommendation.js';

describe('a request for recommendations', () => {
  it('needs a user only; all else has a default', () => {
    expect(recommendRequestSchema.parse({ user_id: 'u' })).toEqual({
      user_id: 'u',
      limit: 10,
      exclude: [],
      context: {},
      recent_items: [],
    });
  });

  it.each([
    [{}, 'user_id'],
    [{ user_id: '' }, 'user_id'],
    [{ user_id: 'u', limit: 0 }, 'limit'],
    [{ user_id: 'u', limit: 101 }, 'limit'],
    [{ user_id: 'u', limit: 2.5 }, 'limit'],
    [{ user_id: 'u', exclude: 'item' }, 'exclude'],
    [{ user_id: 'u', exclude: ['a', ''] }, 'exclude.1'],
    [{ user_id: 'u', recent_items: [1] }, 'recent_items.0'],
    [{ user_id: 'u', context: { place: { deep: 1 } } }, 'context.place'],
    [{ user_id: 'u', features: {} }, ''],
  ])('%j is refused at %s', (request, path) => {
    const parsed = recommendRequestSchema.safeParse(request);
    expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});

describe('the settings of a recommendation', () => {
  it('are those of the demo table where the entry says nothing', () => {
    expect(recommendSettingsSchema.parse({})).toMatchObject({
      user: 'user_id',
      item: 'item_id',
      time: 'occurred_at',
      action_weights: { view: 1, use: 2, star: 3 },
      attributes: ['item_type'],
      include_seen: false,
      diversity: 0,
      most_per_attribute: null,
      exploration: 0.05,
    });
    expect(recommendSettingsSchema.safeParse({ diversity: 1.5 }).success).toBe(false);
    expect(recommendSettingsSchema.safeParse({ exploration: 0.6 }).success).toBe(false);
    expect(recommendSettingsSchema.safeParse({ methods: ['guess'] }).success).toBe(false);
    expect(recommendSettingsSchema.safeParse({ action_weights: { view: -1 } }).success).toBe(false);
  });
});

describe('the answer', () => {
  it('gives each item its reason, and as confidence the chance that the next item is in the list', () => {
    expect(
      shapeRecommendations([
        { itemId: 'a', score: 0.123456789, reason: 'because_of_item', becauseOf: 'b', propensity: 0.95 },
        { itemId: 'c', score: 0.1, reason: 'exploration', propensity: 1.25e-7 },
      ]),
    ).toEqual({
      predictions: {
        items: [
          { item_id: 'a', score: 0.123457, reason: 'because_of_item', because_of: 'b', propensity: 0.95 },
          { item_id: 'c', score: 0.1, reason: 'exploration', propensity: 1.25e-7 },
        ],
      },
      confidence_scores: { items: 0.223457 },
    });
  });

  it('has no items and no confidence where nothing is left, and never a confidence above 1', () => {
    expect(shapeRecommendations([])).toEqual({ predictions: { items: [] }, confidence_scores: { items: 0 } });
    const sure = [0.7, 0.6].map((score) => ({ itemId: 'a', score, reason: 'popular' as const, propensity: 1 }));
    expect(shapeRecommendations(sure).confidence_scores).toEqual({ items: 1 });
  });
});
