import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';
import { entityIdSchema, featureValueSchema } from './prediction.js';
import { instantSchema } from './training.js';

/** What a feature holds; the same types as those that models take. */
export const FEATURE_TYPES = ['number', 'string', 'boolean'] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];

const name = z
  .string()
  .regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter, at most 63');
export const viewNameSchema = name.refine((view) => !view.includes('__'), 'must not contain `__`');
const column = z.string().min(1).max(128);
const expression = z.string().min(1).max(4000);
const type = z.enum(FEATURE_TYPES);
const description = z.string().max(500).optional();

const storedFeatureSchema = z.strictObject({
  type,
  expression: expression.optional().describe('SQL over the columns of one row; the column of the same name by default'),
  description,
});
const onDemandFeatureSchema = z.strictObject({
  type,
  expression: expression.describe('SQL over the features of the view and the values of `request`'),
  description,
});

/** How one view is declared, in `models/features.yaml` or by `PUT /features/views/{view}`. */
export const featureViewSchema = z
  .strictObject({
    description,
    owner: z.string().min(1).max(200).describe('Who answers for it'),
    entity: column.describe('Column that names the entity'),
    event_time: column.describe('Column with the time that a row is about'),
    available_time: column
      .optional()
      .describe('Column with the time from which a row was known; by default it was known at its event time'),
    sequence: column
      .optional()
      .describe(
        'Column with whole numbers that orders rows of equal times, the latest last; by default the order of the data',
      ),
    ttl_seconds: z
      .int()
      .min(1)
      .max(100 * 366 * 86_400)
      .describe('A value that is older than this has expired'),
    source: name.optional().describe('The data type whose newest snapshot the rows come from'),
    sources: z
      .record(name, z.strictObject({ available_time: column.nullable().describe('null: was always known') }))
      .optional()
      .describe('With `sql`: the data types that it reads, each with the column that tells from when a row was known'),
    sql: z.string().min(1).max(20_000).optional().describe('One SELECT over `sources` that gives the rows of the view'),
    features: z.record(name, storedFeatureSchema).refine(hasOne, 'must name a feature'),
    request: z.record(name, z.strictObject({ type, description })).default({}).describe('What a request adds'),
    on_demand: z
      .record(name, onDemandFeatureSchema)
      .default({})
      .describe('Features that are computed when they are asked for'),
  })
  .superRefine((view, context) => {
    const add = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if ((view.source === undefined) === (view.sql === undefined)) add('source', 'give either `source` or `sql`');
    if ((view.sql === undefined) !== (view.sources === undefined))
      add('sources', '`sql` and `sources` belong together');
    if (view.sources && Object.keys(view.sources).length === 0) add('sources', 'must name a data type');
    const names = [view.features, view.request, view.on_demand].flatMap((part) => Object.keys(part));
    const twice = names.find((one, at) => names.indexOf(one) !== at);
    if (twice !== undefined) add('features', `${twice} is declared twice`);
    if (names.length > 500) add('features', 'has more than 500 names');
  });
export type FeatureView = z.output<typeof featureViewSchema>;

function hasOne(record: object): boolean {
  return Object.keys(record).length > 0;
}

/** A view as it stood when something relied on it. */
export interface ViewVersion {
  view: string;
  version: number;
  /** Of the definition: equal definitions have equal ones. */
  digest: string;
  definition: FeatureView;
}

export const featuresFileSchema = z.record(viewNameSchema, featureViewSchema);

const requestValues = z.record(z.string().max(63), featureValueSchema).optional();

export const materializeRequestSchema = z.strictObject({
  start: instantSchema.optional().describe('Only entities with a row that became known since then; for backfills'),
  end: instantSchema.optional().describe('As of when; now by default, and never later'),
});
/** The input of the workflow: the body with the view that stands in the path. */
export const materializeJobSchema = materializeRequestSchema.extend({ view: viewNameSchema });
export type MaterializeRequest = z.output<typeof materializeJobSchema>;

const views = z.array(viewNameSchema).min(1).max(50);
export const onlineRequestSchema = z
  .strictObject({
    view: viewNameSchema.optional().describe('One view'),
    views: views.optional().describe('Or several'),
    entity_ids: z.array(entityIdSchema).min(1).max(1000),
    request: requestValues.describe('Values for on-demand features, by name'),
  })
  .refine((asked) => (asked.view === undefined) !== (asked.views === undefined), {
    path: ['views'],
    message: 'give either `view` or `views`',
  });

export const historicalRequestSchema = z.strictObject({
  views,
  entities: z
    .array(
      z.strictObject({
        entity_id: entityIdSchema,
        as_of: instantSchema.describe('Values as they were known then'),
        request: requestValues.describe('Values for on-demand features, by name'),
      }),
    )
    .min(1)
    .max(10_000),
});
export type HistoricalRequest = z.output<typeof historicalRequestSchema>;

/** The name that models and requests know a feature by. */
export const featureNameOf = (view: string, feature: string) => `${view}__${feature}`;
