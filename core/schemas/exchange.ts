import { z } from 'zod';

export const EXPORT_FORMATS = ['onnx'] as const;

export const exportQuerySchema = z.strictObject({
  format: z.enum(EXPORT_FORMATS).default('onnx').describe('The form of the file'),
});
