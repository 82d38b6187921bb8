import { DATA_FORMATS } from '../core/schemas/ingestion.js';
import { count, strict, text, time } from './openapi-types.js';

/** The shapes of the answers about uploads, events and watermarks. */
export const INTAKE_SCHEMAS = {
  Upload: strict({
    upload_id: text,
    source: text,
    format: { enum: DATA_FORMATS },
    compression: { enum: ['none', 'gzip', 'zstd'] },
    bytes: count,
    sha256: text,
    created_at: time,
    expires_at: time,
  }),
  EventIntake: strict({
    accepted: count,
    rejected: count,
    problems: { type: 'array', items: strict({ line: count, path: text, message: text }) },
  }),
  Watermark: strict({
    watermark_id: text,
    data_type: text,
    source: text,
    cursor_column: text,
    value: text,
    dataset_id: text,
    updated_at: time,
  }),
};
