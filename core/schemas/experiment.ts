import { z } from 'zod';
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

export const METRIC_KINDS = ['binary', 'mean', 'ratio'] as const;

export const experimentRequestSchema = z.strictObject({
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
  traffic: z.number().positive().max(100).default(100).describe('Percentage of the entities that take part'),
  min_seconds: z
    .number()
    .min(0)
    .max(90 * DAY)
    .default(7 * DAY)
    .describe('No winner is named before, so that no weekday decides alone'),
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

export type ExperimentRequest = z.output<typeof experimentRequestSchema>;
