import { z } from 'zod';
import { MODEL_KINDS, NAME_PATTERN } from '../names.js';

const name = z
  .string()
  .regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter, at most 63');

/** Hyperparameters of a random forest, named as scikit-learn names them. */
export const forestHyperparametersSchema = z.strictObject({
  n_estimators: z.int().min(1).max(2000).describe('Number of trees'),
  max_depth: z.int().min(1).max(64).nullable().describe('Depth of a tree; null grows until the leaves are pure'),
  min_samples_split: z.int().min(2).max(1_000_000).describe('Rows that a node needs to be split'),
  min_samples_leaf: z.int().min(1).max(1_000_000).describe('Rows that a leaf keeps at least'),
  max_features: z
    .union([z.enum(['sqrt', 'log2', 'all']), z.number().gt(0).max(1)])
    .describe('Columns tried per split: a rule, or a share in (0, 1]'),
  class_weight: z.enum(['none', 'balanced']).describe('Weights of the classes'),
  seed: z.int().min(0).max(0xffff_ffff).describe('The same seed and data give the same model'),
});
export type ForestHyperparameters = z.output<typeof forestHyperparametersSchema>;

/**
 * What a config entry and a request may set. `learning_rate` is taken so that callers can send one set of names to every
 * algorithm; a forest has none, and the answer says that it was not used.
 */
export const hyperparametersSchema = forestHyperparametersSchema.partial().extend({
  learning_rate: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Of boosting; a random forest does not use it, and says so'),
});

/** One entry of `models/config.yaml`. */
export const modelEntrySchema = z.strictObject({
  kind: z.enum(MODEL_KINDS).optional().describe('The recipe; a model named like a kind needs none'),
  description: z.string().max(500).optional(),
  algorithm: z.enum(['random_forest']).default('random_forest'),
  hyperparameters: hyperparametersSchema.default({}),
  source: name
    .optional()
    .describe('The data type whose newest snapshot is trained on; the name of the model by default'),
  entity: z.string().min(1).optional().describe('Column that names the entity; rows of one entity never cross a split'),
  timestamp: z.string().min(1).optional().describe('Column with the time of a row, for start_date and end_date'),
  features: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Columns to learn from; all but target and entity by default'),
  exclude: z.array(z.string().min(1)).default([]).describe('Columns never to learn from'),
  target: z.string().min(1).optional().describe('The column to predict'),
});
export type ModelEntry = z.output<typeof modelEntrySchema>;

export const modelsFileSchema = z.record(name, modelEntrySchema);

/** Expectations on the columns of a data type: `models/data-types.yaml`. */
export const columnExpectationSchema = z.strictObject({
  type: z.enum(['string', 'integer', 'number', 'boolean', 'timestamp', 'date', 'json']).optional(),
  required: z.boolean().default(false).describe('The column must exist and no cell may be empty'),
  unique: z.boolean().default(false).describe('Only the first row with a value is kept'),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  values: z
    .array(z.union([z.string(), z.number()]))
    .optional()
    .describe('The values that may occur'),
  pattern: z.string().max(200).optional().describe('RE2 expression that a text must match in full'),
});
export type ColumnExpectation = z.output<typeof columnExpectationSchema>;

export const dataTypeSchema = z.strictObject({
  description: z.string().optional(),
  columns: z.record(z.string().min(1), columnExpectationSchema).default({}),
});
export type DataType = z.output<typeof dataTypeSchema>;
export const dataTypesFileSchema = z.record(name, dataTypeSchema);
