import { z } from 'zod';
import { commonPredictFields, entityIdSchema, featureValueSchema } from '../schemas/prediction.js';
import { rounded, type ShapedPrediction } from './shaped-prediction.js';

/** Learners that may be tried for recommendations; by default those that fit the size of the catalogue. */
export const RECOMMEND_METHODS = ['item_neighbours', 'ease', 'implicit_als'] as const;
const column = z.string().min(1).max(256);

/** What only a model of the kind `recommendation` has in its config entry, below `recommend`. */
export const recommendSettingsSchema = z.strictObject({
  user: column.default('user_id').describe('Column with the user'),
  item: column.default('item_id').describe('Column with the item'),
  time: column.default('occurred_at').describe('Column with the time; without it the order of a history says nothing'),
  action: column.default('action').describe('Column with what the user did; without it all events count alike'),
  action_weights: z
    .record(z.string().min(1).max(256), z.number().min(0).max(1000))
    .default({ view: 1, use: 2, star: 3 })
    .describe('What each action counts, 0 for nothing; one that is not listed counts 1'),
  attributes: z
    .array(column)
    .max(20)
    .default(['item_type'])
    .describe('Columns that tell of the item: they place new items, and a request can ask for a value in `context`'),
  separator: z.string().min(1).max(4).default('|').describe('Between several values in one cell of an attribute'),
  methods: z
    .array(z.enum(RECOMMEND_METHODS))
    .min(1)
    .optional()
    .describe('Learners to choose from; by default neighbours and EASE, of large catalogues ALS too'),
  most_ease_items: z
    .int()
    .min(10)
    .max(8000)
    .default(3000)
    .describe('Items that EASE learns from, the most taken first: time grows with the cube'),
  most_history: z.int().min(1).max(1000).default(200).describe('Items of a user that the model keeps, the latest'),
  include_seen: z.boolean().default(false).describe('Items that the user has may be recommended again'),
  diversity: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('0 orders by score alone; 0.2 to 0.3 breaks up lists of items that are much alike'),
  most_per_attribute: z
    .int()
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe('Items with the same value of an attribute in one answer; null for no limit'),
  exploration: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.05)
    .describe(
      'Chance of each place to hold an item drawn from all others that may be in the answer, so that what the model would never show can be learned about; 0 for none',
    ),
});
export type RecommendSettings = z.output<typeof recommendSettingsSchema>;

const itemIds = z.array(z.string().min(1).max(256)).max(1000);

/** A request for items for one user. */
export const recommendRequestSchema = z.strictObject({
  user_id: entityIdSchema,
  limit: z.int().min(1).max(100).default(10).describe('Items to answer with'),
  exclude: itemIds.default([]).describe('Items never to answer with'),
  context: z
    .record(z.string().max(256), featureValueSchema)
    .default({})
    .describe('Attributes that every item of the answer must have, such as {"item_type": "template"}'),
  recent_items: itemIds
    .default([])
    .describe(
      'Items that the user took since the model was trained, the latest last; they count as part of the history',
    ),
  ...commonPredictFields,
});

/** What a request holds besides the user; all of it has a default. */
export const recommendOptionsSchema = recommendRequestSchema.pick({
  limit: true,
  exclude: true,
  context: true,
  recent_items: true,
});
export type RecommendOptions = z.output<typeof recommendOptionsSchema>;

/** Why an item is in the answer: the largest part of its score, or that it was drawn. */
export type RecommendReason = 'because_of_item' | 'similar_content' | 'popular' | 'popular_new_user' | 'exploration';

/** One item of an answer. */
export interface RecommendedItem {
  itemId: string;
  /** The chance that it is the user's next item, 0 to 1. */
  score: number;
  reason: RecommendReason;
  /** The item of the user's history that the reason speaks of. */
  becauseOf?: string;
  /** The chance that its place had of holding it, above 0 to 1. */
  propensity: number;
}

/**
 * The answer about one user. The scores are chances of things of which only one can happen, so that their sum is the chance that
 * the next item is in the list at all: that is the confidence.
 */
export function shapeRecommendations(items: readonly RecommendedItem[]): ShapedPrediction {
  const chance = items.reduce((sum, item) => sum + item.score, 0);
  return {
    predictions: {
      items: items.map(({ itemId, score, reason, becauseOf, propensity }) => ({
        item_id: itemId,
        score: rounded(score),
        reason,
        ...(becauseOf === undefined ? {} : { because_of: becauseOf }),
        // Not rounded: estimates divide by it, and in large catalogues it is tiny.
        propensity,
      })),
    },
    confidence_scores: { items: rounded(Math.min(1, chance)) },
  };
}
