import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';

const share = z.number().min(0).max(1);

const outliersSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('none') }),
  ...(['clip', 'remove'] as const).map((method) =>
    z
      .strictObject({
        method: z.literal(method),
        by: z.enum(['iqr', 'quantiles']).default('iqr').describe('What the bounds come from'),
        factor: z.number().gt(0).max(1000).default(1.5).describe('iqr: so many distances of the quartiles beyond them'),
        lower: share.default(0.01).describe('quantiles: the lower bound'),
        upper: share.default(0.99).describe('quantiles: the upper bound'),
      })
      .refine(({ lower, upper }) => lower < upper, { path: ['upper'], message: 'must lie above `lower`' }),
  ),
]);

const ENCODINGS = ['none', 'ordinal', 'one_hot', 'frequency', 'target'] as const;

/** What may be chosen for all columns, and for one column differently. */
const choices = {
  handle_missing: z
    .enum(['keep', 'drop', 'mean', 'median', 'mode', 'constant'])
    .optional()
    .describe('What stands for a missing value; `drop` leaves the row out. Texts and booleans have a mode only'),
  fill_value: z
    .union([z.number(), z.string().min(1).max(200)])
    .optional()
    .describe('Of `constant`; 0 for numbers and "missing" for texts unless given'),
  feature_scaling: z.enum(['none', 'standard', 'minmax', 'robust']).optional(),
  encode: z
    .union([
      z.enum(ENCODINGS),
      z.strictObject({
        method: z.enum(ENCODINGS),
        smoothing: z
          .union([z.literal('auto'), z.number().min(0).max(1e6)])
          .default('auto')
          .describe('target: so many rows of the overall mean are added to each category'),
        max_categories: z.int().min(1).max(10_000).default(254).describe('The most frequent ones are told apart'),
      }),
    ])
    .optional()
    .describe('How texts with few different values become numbers'),
  outliers: outliersSchema.optional().describe('Numbers far from the others'),
  dates: z
    .enum(['none', 'parts'])
    .optional()
    .describe('Take times apart: days, weekday, month, hour, year, day, weekend'),
  text: z.enum(['none', 'lengths']).optional().describe('Count characters, words and digits of free text'),
};

/** One way to prepare a table, for `POST /data/preprocess` and for an entry of `models/config.yaml`. */
export const preprocessingConfigSchema = z.strictObject({
  ...choices,
  normalize: z
    .boolean()
    .default(false)
    .describe('Last of all, divide the numbers of each row by their Euclidean length (the L2 norm)'),
  columns: z
    .record(z.string().min(1).max(128), z.strictObject(choices))
    .default({})
    .describe('Choices for single columns, over those for all'),
});
export type PreprocessingConfig = z.output<typeof preprocessingConfigSchema>;

export const preprocessRequestSchema = z.strictObject({
  dataset_id: z.string().min(1).max(200),
  preprocessing_config: preprocessingConfigSchema.prefault({}),
  keep: z
    .array(z.string().min(1).max(128))
    .max(1000)
    .default([])
    .describe('Columns that stay as they are: entity, time, target'),
  target: z.string().min(1).max(128).optional().describe('Column that `encode: target` learns from; it stays as it is'),
  data_type: z
    .string()
    .regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter, at most 63')
    .optional()
    .describe('Of the new dataset; that of the old one with `_preprocessed` unless given'),
});
export type PreprocessRequest = z.output<typeof preprocessRequestSchema>;
