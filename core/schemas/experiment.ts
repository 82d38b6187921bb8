import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';
import { contextKeys } from '../decisions/allocation.js';
import { versionOrAliasSchema } from './deployment.js';
import { modelNameSchema } from './training.js';

const ARM = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
/** What an experiment is judged by: a figure of feedback, the truth of a head, its loss, or errors. */
const METRIC = /^(error_rate|(loss|outcome|feedback):[a-zA-Z_][a-zA-Z0-9_]{0,62})$/;
const DAY = 86_400;

const armSchema = z.strictObject({
  arm: z.string().regex(ARM, 'must be a name such as new or v1.2.0').optional().describe('The version by default'),
  version: versionOrAliasSchema,
  weight: z.number().positive().max(1_000_000).describe('Its share, as a part of the sum of all weights'),
});

const feature = z.string().min(1).max(256).describe('A feature of the model that does not change with time');
const contextSchema = z.union([
  z.strictObject({
    feature,
    values: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(20)
      .refine((values) => new Set(values).size === values.length, 'has a value twice')
      .describe('Each has chances of its own; all other values, and none, have them together'),
  }),
  z.strictObject({
    feature,
    edges: z
      .array(z.number())
      .min(1)
      .max(10)
      .refine((edges) => edges.every((edge, at) => at === 0 || edge > edges[at - 1]!), 'must rise')
      .describe('Of a number: the bounds between bins, each of which has chances of its own'),
  }),
]);
const MOST_CONTEXTS = 24;
/** Batches times contexts: the evidence of each window has a cell for each, and is kept. */
const MOST_STRATA = 240;

const allocationSchema = z
  .discriminatedUnion('method', [
    z.strictObject({ method: z.literal('fixed') }),
    z
      .strictObject({
        method: z.literal('thompson'),
        floor: z
          .number()
          .min(0.01)
          .max(0.45)
          .optional()
          .describe('The least chance of an arm; by default a fifth of an equal share'),
        batches: z
          .number()
          .int()
          .min(2)
          .max(100)
          .default(10)
          .describe('Parts of the entities that come in one after the other, each by the chances of its time'),
        refresh_seconds: z
          .number()
          .min(1)
          .max(30 * DAY)
          .optional()
          .describe('Time between two batches; by default all are in when half of max_seconds is over'),
        context: z
          .array(contextSchema)
          .max(3)
          .refine(
            (context) => contextKeys(context).length <= MOST_CONTEXTS,
            `makes more than ${MOST_CONTEXTS} contexts`,
          )
          .refine(
            (context) => new Set(context.map((item) => item.feature)).size === context.length,
            'has a feature twice',
          )
          .default([])
          .describe('What arms may be better for: each combination of levels learns its own chances'),
      })
      .refine(({ batches, context }) => batches * contextKeys(context).length <= MOST_STRATA, {
        path: ['batches'],
        message: `makes more than ${MOST_STRATA} with the contexts: ask for fewer batches or contexts`,
      }),
  ])
  .describe('`thompson` gives later entities to the arms that look better; estimates stay unbiased');

export type AllocationSettings = z.output<typeof allocationSchema>;

export const METRIC_KINDS = ['binary', 'mean', 'ratio'] as const;

const experimentFields = z.strictObject({
  model: modelNameSchema,
  arms: z.array(armSchema).min(2).max(10),
  control: z.string().regex(ARM).optional().describe('The arm that the others are compared with; the first by default'),
  metric: z
    .string()
    .regex(METRIC, 'must be error_rate, or loss:, outcome: or feedback: with a name')
    .describe('`feedback:revenue` sums that figure of the feedback; an entity without any counts as 0'),
  kind: z
    .enum(METRIC_KINDS)
    .optional()
    .describe('Per entity: yes or no (`binary`), a sum (`mean`, of feedback by default), or per prediction (`ratio`)'),
  better: z.enum(['rises', 'falls']).optional().describe('`falls` for losses and errors, else `rises`, by default'),
  minimum_effect: z
    .number()
    .positive()
    .optional()
    .describe('The smallest gain worth having, in the unit of the metric; by default 5 % of what it was before'),
  allocation: allocationSchema.default({ method: 'fixed' }),
  layer: z
    .string()
    .regex(NAME_PATTERN, 'must be a name such as checkout')
    .optional()
    .describe(
      'Experiments of one layer, of whichever models, never share an entity; by default the model is the layer',
    ),
  traffic: z.number().positive().max(100).default(100).describe('Percentage of the entities that take part'),
  min_seconds: z
    .number()
    .min(0)
    .max(90 * DAY)
    .optional()
    .describe(
      'No winner is named before, so that no weekday decides alone; 7 days by default, or max_seconds if that is less',
    ),
  max_seconds: z
    .number()
    .min(1)
    .max(90 * DAY)
    .default(28 * DAY),
  window_seconds: z.number().min(1).max(DAY).default(300).describe('Time between two looks at the evidence'),
  covariate_days: z
    .number()
    .int()
    .min(0)
    .max(90)
    .default(28)
    .describe('Days before the start whose values of each entity take noise out of the comparison; 0 for none'),
  on_winner: z
    .enum(['keep', 'promote'])
    .default('keep')
    .describe('`promote` deploys the winner as soon as it is named'),
});

export const experimentRequestSchema = experimentFields
  .refine(({ min_seconds: least = 0, max_seconds: most }) => least <= most, {
    path: ['min_seconds'],
    message: 'must not be above max_seconds: no winner could ever be named',
  })
  .transform(({ min_seconds: least, ...rest }) => ({
    ...rest,
    min_seconds: least ?? Math.min(7 * DAY, rest.max_seconds),
  }));

export type ExperimentRequest = z.output<typeof experimentRequestSchema>;
