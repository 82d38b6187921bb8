import { z } from 'zod';
import { pageQuerySchema } from './listing.js';
import { FilterError, parseRunFilter, parseRunOrder } from './run-filter.js';
import { modelNameSchema } from './training.js';

export const RUN_STATUSES = ['running', 'completed', 'failed', 'cancelled', 'pruned'] as const;
export const RUN_KINDS = ['training', 'trial'] as const;

/** A text that a parser reads; what it cannot read is told with its place. */
const parsed = <T>(parse: (source: string) => T) =>
  z.string().transform((source, context): T => {
    try {
      return parse(source);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });

/** Which runs are meant. */
const selection = {
  model: modelNameSchema.optional(),
  status: z.enum(RUN_STATUSES).optional(),
  kind: z.enum(RUN_KINDS).optional().describe('`training`, or the trials of sweeps'),
  parent_id: z.string().max(255).optional().describe('Trials of this run'),
  filter: parsed(parseRunFilter)
    .optional()
    .describe("Such as `metrics.roc_auc > 0.8 and params.max_depth = 10 and status in ('completed', 'failed')`"),
};

export const runsQuerySchema = pageQuerySchema.extend({
  ...selection,
  order_by: parsed(parseRunOrder).optional().describe('Such as `metrics.roc_auc desc`; by default the newest first'),
});
export type RunsQuery = z.output<typeof runsQuerySchema>;

export const runsReportQuerySchema = z.strictObject({
  ...selection,
  metric: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('The metric that is looked at; by default the one that most of the runs have'),
  goal: z
    .enum(['maximize', 'minimize'])
    .optional()
    .describe('Which end of the metric is good; by default told by its name'),
});

export const runMetricsQuerySchema = z.strictObject({
  name: z.string().min(1).max(128).optional().describe('Only this curve'),
  points: z.coerce
    .number()
    .pipe(z.int().min(2).max(10_000))
    .default(500)
    .describe('At most so many points a curve, at even distances; the first and the last are among them'),
});

export const MOST_COMPARED = 20;
export const runsCompareQuerySchema = z.strictObject({
  ids: z
    .string()
    .transform((text) => [...new Set(text.split(',').map((id) => id.trim()))].filter(Boolean))
    .pipe(z.array(z.string().max(255)).min(2, 'must name at least two runs').max(MOST_COMPARED))
    .describe('Ids of 2 to 20 runs, separated by commas'),
});
