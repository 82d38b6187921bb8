import { z } from 'zod';
import { PRUNERS } from '../../ml/search/create-pruner.js';
import { SAMPLERS } from '../../ml/search/create-sampler.js';

/** Most trials of a sweep; the table of a larger one would be of little use to anyone. */
export const MOST_TRIALS = 10_000;

export const trialBudget = z.int().min(1).max(MOST_TRIALS).describe('Configurations that are tried');
export const searchTimeout = z
  .int()
  .min(1)
  .max(7 * 86_400)
  .describe('Seconds that the search may run, pauses apart; then the best so far is taken');

/** More trials of several objectives would take longer to put in order than to draw. */
export const MOST_TRIALS_OF_SEVERAL = 1000;

const metricName = z.string().min(1).max(128);

const objectiveSchema = z.strictObject({
  metric: metricName.describe(
    '`loss`, or another measure of the kind; a wrong name is answered with those that there are',
  ),
  direction: z.enum(['minimize', 'maximize']).optional().describe('The one that is better, unless given'),
});

const constraintSchema = z
  .strictObject({
    metric: metricName,
    max: z.number().optional().describe('No more than this'),
    min: z.number().optional().describe('No less than this'),
  })
  .refine(({ max, min }) => max !== undefined || min !== undefined, 'needs max or min')
  .refine(({ max, min }) => max === undefined || min === undefined || min <= max, {
    path: ['min'],
    message: 'must be at most max',
  });

export const searchRequestSchema = z.strictObject({
  trials: trialBudget.default(50),
  sampler: z.enum(SAMPLERS).default('auto').describe('How configurations are drawn'),
  pruner: z
    .enum(PRUNERS)
    .optional()
    .describe('Which trials are ended early: `asha`, or with several objectives `none`, unless given'),
  objectives: z
    .array(objectiveSchema)
    .min(1)
    .max(3)
    .optional()
    .describe(
      'What a trial is judged by; the loss alone unless given. Of several the front of what nothing betters in all is kept, and the first decides',
    ),
  constraints: z
    .array(constraintSchema)
    .max(8)
    .optional()
    .describe(
      'What a trial must meet to be taken, such as `{metric: latency_us, max: 200}` or `{metric: model_bytes, max: 1000000}`',
    ),
  ensemble: z
    .strictObject({
      models: z
        .int()
        .min(1)
        .max(10)
        .describe(
          'The best so many trials may answer together, within the constraints on size and latency; 1 for never',
        ),
    })
    .default({ models: 3 }),
  seed: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(42)
    .describe('The same seed, trials, parallelism, data and warm start give the same table of trials'),
  timeout_seconds: searchTimeout.optional(),
  parallelism: z
    .int()
    .min(1)
    .max(256)
    .default(4)
    .describe('Trials side by side; each is drawn without knowing the ends of those that may run beside it'),
  space: z
    .record(z.string().min(1).max(64), z.unknown())
    .optional()
    .describe(
      'By parameter `{type: float, low, high, log?}`, `{type: int, low, high, log?, step?}` or `{type: categorical, choices}`, with `when: {parameter, in}` only for some values of another; that of the kind by default',
    ),
  warm_start: z
    .union([z.boolean(), z.string().min(1).max(255)])
    .default(true)
    .describe(
      'Try the best configurations of an earlier sweep first: the last one of the same model, schema and space, the one that is named, or none',
    ),
});
export type SearchRequest = z.output<typeof searchRequestSchema>;

/** The new budget of a sweep under way: totals, so that a repeated call changes nothing. */
export const sweepBudgetSchema = z
  .strictObject({
    trials: trialBudget.optional().describe('Trials in all, those that have begun included'),
    timeout_seconds: searchTimeout.optional().describe('Seconds in all since the start, pauses apart'),
  })
  .refine(
    ({ trials, timeout_seconds: seconds }) => trials !== undefined || seconds !== undefined,
    'needs trials or timeout_seconds',
  );
export type SweepBudget = z.output<typeof sweepBudgetSchema>;

export const SWEEP_STATES = ['running', 'paused', 'completed', 'stopped', 'failed', 'cancelled'] as const;
export type SweepState = (typeof SWEEP_STATES)[number];
export const TRIAL_STATES = ['running', 'completed', 'pruned', 'failed', 'stopped'] as const;
export type TrialState = (typeof TRIAL_STATES)[number];
