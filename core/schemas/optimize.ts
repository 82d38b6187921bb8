import { z } from 'zod';

/** How a fitted model is made smaller and faster, and what that may cost. */
export const optimizeSchema = z
  .strictObject({
    quantize: z
      .enum(['int16', 'int8'])
      .optional()
      .describe('Bits that an answer of a leaf, or a weight of a network, is kept in; splits keep their thresholds'),
    prune: z
      .number()
      .gt(0)
      .max(0.95)
      .optional()
      .describe(
        'Share that is left out: of a forest its last trees, of boosting its last rounds, of a network the hidden units that carry least',
      ),
    max_loss: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe(
        'By which share the log loss, or the mean absolute error, may grow on held-out rows, as the upper end of a 95 % interval; a variant that loses more is not used',
      ),
  })
  .refine(({ quantize, prune }) => quantize !== undefined || prune !== undefined, 'needs quantize, prune, or both');
export type Optimize = z.output<typeof optimizeSchema>;
