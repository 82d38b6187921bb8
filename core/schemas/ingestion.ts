import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';

export const DATA_FORMATS = ['csv', 'tsv', 'ndjson', 'json', 'parquet'] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

export const ingestRequestSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'postgresql://user:password@host:port/database, a file below one of the data folders, or predictions:{model} for what was predicted and what turned out to be true',
    ),
  data_type: z.string().regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter'),
  options: z
    .strictObject({
      table: z.string().min(1).max(128).optional().describe('PostgreSQL: the table, optionally schema.table'),
      query: z.string().min(1).max(20_000).optional().describe('PostgreSQL: a SELECT instead of a table'),
      columns: z.array(z.string().min(1).max(128)).min(1).optional().describe('Only these columns'),
      start_date: z.iso.date().optional().describe('Predictions: the first day (UTC)'),
      end_date: z.iso.date().optional().describe('Predictions: the last day (UTC), included'),
      format: z.enum(DATA_FORMATS).optional().describe('Files: by the file’s ending unless given'),
      validation: z
        .enum(['quarantine', 'fail'])
        .default('quarantine')
        .describe('What happens to rows that fail a check'),
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
    .refine(({ start_date: start, end_date: end }) => !(start && end && end < start), {
      path: ['end_date'],
      message: 'must not lie before start_date',
    })
    .prefault({}),
});

export type IngestOptions = z.output<typeof ingestRequestSchema>['options'];
