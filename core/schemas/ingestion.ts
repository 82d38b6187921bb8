import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';

export const DATA_FORMATS = ['csv', 'tsv', 'ndjson', 'json', 'parquet', 'arrow'] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];
/** What rows are loaded from; Arrow is turned into CSV on its way. */
export type RawFormat = Exclude<DataFormat, 'arrow'>;

const pointer = z.string().min(1).max(200);
const parameter = z.string().regex(/^[\w.$[\]-]{1,100}$/, 'must be the name of a query parameter');
const pageSize = z.int().min(1).max(1_000_000);

/** How a paged API is walked through. Paths such as `meta.next` lead through the body of a JSON answer. */
const pagingSchema = z.discriminatedUnion('by', [
  z.strictObject({
    by: z.literal('link'),
    at: pointer.optional().describe('Where the body has the address of the next page; the Link header without it'),
  }),
  z.strictObject({ by: z.literal('cursor'), parameter, at: pointer.describe('Where the body has the next cursor') }),
  z.strictObject({
    by: z.literal('offset'),
    parameter: parameter.default('offset'),
    size_parameter: parameter.default('limit'),
    size: pageSize.default(1000),
  }),
  z.strictObject({
    by: z.literal('page'),
    parameter: parameter.default('page'),
    first: z.int().min(0).max(1).default(1),
    size_parameter: parameter.optional(),
    size: pageSize.optional(),
  }),
]);

const httpOptionsSchema = z.strictObject({
  secret: z
    .string()
    .regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter')
    .optional()
    .describe('The name of a secret of SOURCE_SECRETS_FILE'),
  header: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be the name of a header')
    .default('authorization')
    .describe('The header that carries the secret'),
  prefix: z
    .string()
    .max(20)
    .regex(/^[A-Za-z]*$/, 'must be letters only')
    .default('Bearer')
    .describe('Stands before the secret, with a blank between; empty for none'),
  records: pointer.optional().describe('JSON: where the body has the list of records, such as `data.items`'),
  paging: pagingSchema.optional(),
  requests_per_second: z.number().positive().max(1000).optional(),
});
export type HttpOptions = z.output<typeof httpOptionsSchema>;

const columnName = z.string().min(1).max(128);
const labelledSchema = z
  .strictObject({
    head: columnName.describe('Whose outcome: `label` of a classification, `value` of a regression'),
    target: columnName.describe('The column that gets the outcome'),
    entity: columnName.optional().describe('The column that gets `entity_id`'),
    timestamp: columnName.optional().describe('The column that gets `predicted_at`'),
    features: z
      .array(columnName)
      .min(1)
      .max(2000)
      .describe('Columns of features; those that nobody has sent are left out'),
    since: z.iso.datetime({ offset: true }).optional().describe('Only what was predicted from then on'),
  })
  .describe('Predictions: only those with an outcome, as rows that a model can be trained on');
export type LabelledRows = z.output<typeof labelledSchema>;

export const ingestRequestSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'postgresql://user:password@host:port/database, https://…, s3://bucket/key (or a pattern of keys), upload:{upload_id}, events:{data_type}, a file or a pattern of files below one of the data folders, or predictions:{model} for what was predicted and what turned out to be true',
    ),
  data_type: z.string().regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter'),
  options: z
    .strictObject({
      table: z.string().min(1).max(128).optional().describe('PostgreSQL: the table, optionally schema.table'),
      query: z.string().min(1).max(20_000).optional().describe('PostgreSQL: a SELECT instead of a table'),
      columns: z.array(z.string().min(1).max(128)).min(1).optional().describe('Only these columns'),
      start_date: z.iso.date().optional().describe('Predictions: the first day (UTC)'),
      end_date: z.iso.date().optional().describe('Predictions: the last day (UTC), included'),
      labelled: labelledSchema.optional(),
      cursor_column: z
        .string()
        .min(1)
        .max(128)
        .optional()
        .describe(
          'PostgreSQL: only rows that no earlier ingestion of this source has had, told by this growing column',
        ),
      cursor_overlap: z
        .number()
        .min(0)
        .optional()
        .describe(
          'PostgreSQL: how far behind the highest cursor rows may still appear, in seconds of a time or units of a number; 0 without it',
        ),
      http: httpOptionsSchema.optional().describe('https://: how the API is asked'),
      format: z.enum(DATA_FORMATS).optional().describe('Files: by the ending of the name unless given'),
      validation: z
        .enum(['quarantine', 'fail'])
        .default('quarantine')
        .describe('What happens to rows that fail a check'),
      schema_changes: z
        .enum(['stop', 'accept'])
        .optional()
        .describe('A column that is lost, or whose type is narrower than before, stops the job unless accepted'),
      unreadable_parts: z
        .enum(['fail', 'skip'])
        .default('fail')
        .describe(
          'What happens when a part of the source (a file of several, a page) cannot be read at all: the job fails with its name, or the dataset is made of the other parts and says which are missing',
        ),
    })
    .refine((options) => !(options.table && options.query), {
      path: ['query'],
      message: 'give a table or a query, not both',
    })
    .refine((options) => options.cursor_overlap === undefined || options.cursor_column !== undefined, {
      path: ['cursor_overlap'],
      message: 'needs a cursor_column',
    })
    .refine(({ start_date: start, end_date: end }) => !(start && end && end < start), {
      path: ['end_date'],
      message: 'must not lie before start_date',
    })
    .prefault({}),
});

export type IngestOptions = z.output<typeof ingestRequestSchema>['options'];
