import { z } from 'zod';
import { anomalySettingsSchema } from '../kinds/anomaly-detection.js';
import { projectSettingsSchema } from '../kinds/project-success.js';
import { recommendSettingsSchema } from '../kinds/recommendation.js';
import { forecastSettingsSchema } from '../kinds/resource-usage.js';
import { MODEL_KINDS, NAME_PATTERN } from '../names.js';
import { modelAlertsSchema } from './alert-rule.js';
import { monitorSchema } from './monitor.js';
import { optimizeSchema } from './optimize.js';
import { repairSettingsSchema } from './repair-settings.js';
import { searchRequestSchema } from './search.js';
import { expectationsSchema } from './expectation.js';
import { preprocessingConfigSchema } from './preprocessing.js';

const name = z
  .string()
  .regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter, at most 63');

/** Ways to learn; which of them a kind has is checked with its entry. `auto` is the best of the kind's own by validation. */
export const ALGORITHMS = [
  'auto',
  'random_forest',
  'gradient_boosting',
  'linear',
  'neural_network',
  'autoencoder',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What a config entry and a request may set. Each algorithm takes its own; of the others the answer says that they were not used. */
export const hyperparametersSchema = z
  .strictObject({
    n_estimators: z.int().min(1).max(2000).describe('Number of trees; of boosting the most rounds'),
    max_depth: z.int().min(1).max(64).nullable().describe('Depth of a tree; null for no limit'),
    min_samples_split: z.int().min(2).max(1_000_000).describe('Forest: rows that a node needs to be split'),
    min_samples_leaf: z.int().min(1).max(1_000_000).describe('Rows that a leaf keeps at least'),
    max_features: z
      .union([z.enum(['sqrt', 'log2', 'all']), z.number().gt(0).max(1)])
      .describe('Columns tried per split (forest) or per tree (boosting, a share): a rule, or a share in (0, 1]'),
    class_weight: z.enum(['none', 'balanced']).describe('Weights of the classes'),
    learning_rate: z.number().gt(0).max(1).describe('Boosting and networks: the share of each step that is taken'),
    max_leaf_nodes: z.int().min(2).max(1024).describe('Boosting: leaves of a tree'),
    l2_regularization: z
      .number()
      .min(0)
      .max(1e9)
      .describe('Boosting, linear models and networks: penalty on the squares of leaves or coefficients'),
    subsample: z.number().gt(0).max(1).describe('Boosting: share of the rows that a tree sees'),
    early_stopping_rounds: z
      .int()
      .min(1)
      .max(1000)
      .nullable()
      .describe('Boosting: rounds without gain on held-out rows after which it ends; null for never'),
    hidden_units: z.array(z.int().min(1).max(4096)).max(8).describe('Networks: widths of the hidden layers'),
    dropout: z.number().min(0).lt(1).describe('Networks: share of a layer that a step leaves out'),
    epochs: z.int().min(1).max(10_000).describe('Networks: most passes over the rows'),
    batch_size: z.int().min(1).max(65_536).describe('Networks: rows of a step'),
    seed: z.int().min(0).max(0xffff_ffff).describe('The same seed and data give the same model'),
  })
  .partial();
export type Hyperparameters = z.output<typeof hyperparametersSchema>;

/** One entry of `models/config.yaml`. */
export const modelEntrySchema = z.strictObject({
  kind: z.enum(MODEL_KINDS).optional().describe('The recipe; a model named like a kind needs none'),
  description: z.string().max(500).optional(),
  algorithm: z.enum(ALGORITHMS).optional().describe('By default the best of those of the kind, by validation'),
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
  split: z
    .enum(['random', 'time'])
    .default('random')
    .describe('Which rows are held out: random entities, or the latest rows by `timestamp`'),
  positive_class: z
    .string()
    .optional()
    .describe('Of two classes the one that `costs` calls positive; the later one by name by default'),
  costs: z
    .strictObject({ false_positive: z.number().min(0).max(1e12), false_negative: z.number().min(0).max(1e12) })
    .refine((costs) => costs.false_positive + costs.false_negative > 0, 'one cost at least must be above 0')
    .optional()
    .describe('What each kind of wrong label costs; the label of two classes is chosen so that the cost is least'),
  search: z
    .union([z.literal(false), searchRequestSchema])
    .optional()
    .describe(
      'Look for good hyperparameters in each training run, as `search` of a request does; false for never. By default only with AUTO_ML_ENABLED, 1,000 rows and neither algorithm nor hyperparameters',
    ),
  optimize: optimizeSchema
    .optional()
    .describe('Of tables: serve a smaller, faster variant of each fitted model where it loses no more than stated'),
  monotone: z
    .record(z.string().min(1), z.enum(['increasing', 'decreasing']))
    .optional()
    .describe('Boosting: features that may move the answer in one direction only'),
  preprocessing: preprocessingConfigSchema
    .optional()
    .describe(
      'Of tables: how columns become numbers; learnt from training rows, stored with the model, the same when it answers',
    ),
  project: projectSettingsSchema.optional().describe('Of the kind project_success'),
  forecast: forecastSettingsSchema.optional().describe('Of the kind resource_usage'),
  anomaly: anomalySettingsSchema.optional().describe('Of the kind anomaly_detection'),
  feature_views: z
    .array(name)
    .min(1)
    .max(20)
    .optional()
    .describe(
      'Feature views that rows are joined with, as they were known at `timestamp`; needs `entity` and `timestamp`',
    ),
  approvals: z
    .strictObject({
      count: z.int().min(1).max(5).describe('So many different people must agree'),
      role: z.enum(['operator', 'admin']).default('operator').describe('The least role that counts'),
    })
    .optional()
    .describe('What a version needs before it may be deployed; nothing by default'),
  recommend: recommendSettingsSchema.optional().describe('Of the kind recommendation'),
  repair: repairSettingsSchema.optional().describe('How much it may be retrained because of alerts'),
  alerts: modelAlertsSchema.optional().describe('Who is told of what; the rules that are built in by default'),
  monitor: monitorSchema
    .optional()
    .describe('How it is watched; PUT /monitors/{model} goes before it. By default by the day, with all monitors'),
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
  expectations: expectationsSchema.default([]).describe('What is expected besides, as in POST /data/validate'),
});
export type DataType = z.output<typeof dataTypeSchema>;
export const dataTypesFileSchema = z.record(name, dataTypeSchema);
