import { z } from 'zod';
import { NAME_PATTERN } from '../names.js';

const column = z.string().min(1).max(128);

/** What every expectation has. */
const common = {
  name: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('Shown in the report; made of the check and its columns unless given'),
  severity: z
    .enum(['error', 'warning'])
    .default('error')
    .describe('error: the dataset does not pass; warning: it is told of'),
};

/** Of the checks that look at each row. */
const ofRows = {
  ...common,
  mostly: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('The share of the rows that must hold, of those where there is something to check'),
};

/** One thing that is expected of a dataset, told apart by `check`. */
export const expectationSchema = z.discriminatedUnion('check', [
  z.strictObject({
    check: z.literal('type'),
    column,
    type: z.enum(['string', 'integer', 'number', 'boolean', 'timestamp', 'date', 'json']),
    ...ofRows,
  }),
  z.strictObject({ check: z.literal('not_null'), column, ...ofRows }),
  z
    .strictObject({
      check: z.literal('range'),
      column,
      minimum: z.union([z.number(), z.iso.date(), z.iso.datetime()]).optional(),
      maximum: z.union([z.number(), z.iso.date(), z.iso.datetime()]).optional(),
      ...ofRows,
    })
    .refine(({ minimum, maximum }) => minimum !== undefined || maximum !== undefined, {
      path: ['minimum'],
      message: 'a range needs a minimum, a maximum or both',
    }),
  z.strictObject({
    check: z.literal('set'),
    column,
    values: z
      .array(z.union([z.string().max(1000), z.number(), z.boolean()]))
      .min(1)
      .max(10_000),
    ...ofRows,
  }),
  z.strictObject({
    check: z.literal('pattern'),
    column,
    pattern: z.string().min(1).max(500).describe('RE2 expression that the text must match in full'),
    ...ofRows,
  }),
  z.strictObject({
    check: z.literal('unique'),
    columns: z.array(column).min(1).max(16).describe('Their values together occur once'),
    ...ofRows,
  }),
  z.strictObject({
    check: z.literal('references'),
    column,
    data_type: z.string().regex(NAME_PATTERN).optional().describe('Its newest snapshot is looked in'),
    dataset_id: z.string().min(1).max(200).optional().describe('Or this dataset'),
    in_column: column.optional().describe('The column there; of the same name unless given'),
    ...ofRows,
  }),
  z.strictObject({
    check: z.literal('freshness'),
    column,
    max_age_seconds: z.number().gt(0).max(1e10).describe('The newest value is at most so old'),
    ...common,
  }),
  z.strictObject({
    check: z.literal('rows'),
    minimum: z.int().min(0).optional(),
    maximum: z.int().min(0).optional(),
    ...common,
  }),
  z.strictObject({
    check: z.literal('volume'),
    snapshots: z.int().min(3).max(100).default(20).describe('So many earlier snapshots of the data type are looked at'),
    factor: z
      .number()
      .gt(0)
      .max(100)
      .default(4)
      .describe('So many robust standard deviations from their median are usual'),
    ...common,
  }),
  z.strictObject({
    check: z.literal('distribution'),
    column,
    against: z.string().min(1).max(200).optional().describe('A dataset; the last good snapshot unless given'),
    minimum_effect: z
      .number()
      .gt(0)
      .max(1)
      .default(0.1)
      .describe('A distance below this is no difference, however many rows show it'),
    alpha: z.number().gt(0).max(0.5).default(0.001).describe('The chance of an alarm when nothing has changed'),
    ...common,
  }),
  z.strictObject({
    check: z.literal('sql'),
    sql: z
      .string()
      .min(1)
      .max(20_000)
      .describe('One SELECT over `data` that gives the rows which fail; with `_row` they are told by number'),
    ...ofRows,
  }),
]);
export type Expectation = z.output<typeof expectationSchema>;
export type ExpectationOf<Check extends Expectation['check']> = Extract<Expectation, { check: Check }>;

export const expectationsSchema = z.array(expectationSchema).max(500);

export const validateRequestSchema = z.strictObject({
  dataset_id: z.string().min(1).max(200),
  expectations: expectationsSchema.optional().describe('Those of the data type in models/data-types.yaml unless given'),
});

export const acceptSchemaRequestSchema = z.strictObject({
  version: z.int().min(1).max(1_000_000).describe('Of GET /data/schemas/{data_type}'),
});
