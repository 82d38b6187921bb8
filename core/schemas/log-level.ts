import { z } from 'zod';

export const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const logLevelRequestSchema = z.strictObject({
  level: z.enum(LOG_LEVELS),
  seconds: z.int().min(1).max(86_400).default(3600).describe('For how long; then the configured level holds again'),
});
