import { z } from 'zod';

const column = z.string().min(1).max(128);
const value = z.union([z.string().max(100_000), z.number(), z.boolean(), z.null()]);

/** One correction of a column, for all rows in quarantine. They are made in their order. */
export const correctionRuleSchema = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('trim'), column }),
  z.strictObject({ rule: z.literal('lower'), column }),
  z.strictObject({ rule: z.literal('upper'), column }),
  z.strictObject({ rule: z.literal('set'), column, value, only_empty: z.boolean().default(true) }),
  z.strictObject({ rule: z.literal('map'), column, values: z.record(z.string().max(1000), value) }),
  z.strictObject({ rule: z.literal('replace'), column, find: z.string().min(1).max(1000), with: z.string().max(1000) }),
  z.strictObject({
    rule: z.literal('cast_number'),
    column,
    decimal: z.enum(['.', ',']).default('.').describe('All but digits, the sign and this is taken away'),
  }),
  z.strictObject({
    rule: z.literal('cast_time'),
    column,
    format: z.string().min(2).max(100).describe('As for strptime: %d.%m.%Y %H:%M'),
  }),
]);
export type CorrectionRule = z.output<typeof correctionRuleSchema>;

const replayFields = {
  rules: z.array(correctionRuleSchema).max(100).default([]).describe('Corrections of columns, in their order'),
  rows: z
    .array(z.strictObject({ row_number: z.int().min(1), values: z.record(column, value) }))
    .max(1000)
    .default([])
    .describe('Corrections of single rows, after those of columns'),
};

export const replayRequestSchema = z.strictObject(replayFields);
/** The input of the workflow: the body with the dataset of the path. */
export const replayInputSchema = z.strictObject({ dataset_id: z.string().min(1).max(200), ...replayFields });
export type ReplayInput = z.output<typeof replayInputSchema>;
