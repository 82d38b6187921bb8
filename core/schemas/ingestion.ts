import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';

export const DATA_FORMATS = ['csv', 'tsv', 'ndjson', 'json', 'parquet'] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

export const ingestRequestSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(4096)
    .describe('postgresql://user:password@host:port/database, or a file below one of the data folders'),
  data_type: z.string().regex(NAME_PATTERN, 'must be lower-case letters, digits and `_`, starting with a letter'),
  options: z
    .strictObject({
      table: z.string().min(1).max(128).optional().describe('PostgreSQL: the table, optionally schema.table'),
      query: z.string().min(1).max(20_000).optional().describe('PostgreSQL: a SELECT instead of a table'),
      columns: z.array(z.string().min(1).max(128)).min(1).optional().describe('Only these columns'),
      format: z.enum(DATA_FORMATS).optional().describe('Files: by the file’s ending unless given'),
      validation: z
        .enum(['quarantine', 'fail'])
        .default('quarantine')
        .describe('What happens to rows that fail a check'),
    })
    .refine((options) => !(options.table && options.query), {
      path: ['query'],
      message: 'give a table or a query, not both',
    })
    .prefault({}),
});
