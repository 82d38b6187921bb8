import { z } from 'zod';
import { featuresSchema } from './prediction.js';

export const EXPORT_FORMATS = ['onnx'] as const;

export const exportQuerySchema = z.strictObject({
  format: z.enum(EXPORT_FORMATS).default('onnx').describe('The form of the file'),
});

const name = z.string().min(1).max(256);
const MOST_FEATURES = 10_000;

export const importRequestSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(1024)
    .describe(
      'An .onnx file below DATA_SOURCE_ROOTS, or of the MLflow server `models:/name/3`, `models:/name@alias` or `runs:/run_id/path`',
    ),
  features: z
    .array(
      z.strictObject({
        name: name.describe('As callers send it'),
        type: z.enum(['number', 'boolean', 'category']).default('number'),
        input: name
          .optional()
          .describe('The input of the model that takes it; by default the one of its name, or the only one'),
      }),
    )
    .min(1)
    .max(MOST_FEATURES)
    .refine((features) => new Set(features.map((one) => one.name)).size === features.length, 'has two of one name')
    .describe('In the order in which an input of several columns takes them'),
  output: name
    .optional()
    .describe('The output to answer with: probabilities or a value; by default the only one that fits'),
  classes: z
    .array(z.string().min(1).max(256))
    .min(2)
    .max(200)
    .refine((classes) => new Set(classes).size === classes.length, 'has two of one name')
    .optional()
    .describe('Of a classification the classes, in the order of the probabilities'),
  examples: z
    .array(
      z.strictObject({
        features: featuresSchema,
        outputs: z
          .array(z.number())
          .min(1)
          .max(200)
          .optional()
          .describe('What the model must say: it is refused otherwise'),
      }),
    )
    .min(1)
    .max(100)
    .optional()
    .describe('Requests that the version is held to each time that it is loaded'),
});
export type ImportRequest = z.output<typeof importRequestSchema>;
