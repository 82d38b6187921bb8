import { count, strict, text } from './openapi-types.js';

const objects = { type: 'array', items: { type: 'object' } };

/** The shapes of the answers about preprocessing and validation. */
export const DATA_QUALITY_SCHEMAS = {
  Preprocessor: strict({
    format_version: count,
    encoder: { type: 'object' },
    passed: objects,
    complete: { type: 'array', items: text },
    bounds: objects,
    folds: { type: 'object' },
    fitted_rows: count,
  }),
};
