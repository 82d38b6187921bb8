import { ERROR_TABLE, type ErrorCode } from '../../core/errors.js';

/** The routes of the Open Inference Protocol, which has its own shape for errors: `{error}`; the correlation id is in its header. */
export const isInferencePath = (path: string) => path === '/v2' || path.startsWith('/v2/');

/** The protocol knows 400 for every request that does not fit. */
export function inferenceStatus(code: ErrorCode): number {
  const { status } = ERROR_TABLE[code];
  return status === 422 ? 400 : status;
}
