import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Messages and stack traces of failures become payloads, which the codec encrypts as all others. For clients and workers with ENCRYPTION_KEYS, and
 * in the bundle of workflows that these run; without keys Temporal shows failures as they are.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
