import { LINE_LEVELS } from '../core/names.js';
import { nullableText, strict, text, time } from './openapi-types.js';

/** The shape of a line of the log of a job. */
export const JOB_LOG_SCHEMAS = {
  JobLogLine: {
    ...strict({
      id: text,
      at: time,
      level: { enum: LINE_LEVELS },
      source: text,
      step: nullableText,
      attempt: { type: ['integer', 'null'], minimum: 1 },
      message: text,
      detail: { type: 'object' },
    }),
    example: {
      id: '1042',
      at: '2026-03-01T10:15:00.000Z',
      level: 'info',
      source: 'training-worker',
      step: 'fitModel',
      attempt: 1,
      message: 'fitModel done',
      detail: { seconds: 12.4, rows: 2000 },
    },
  },
};
