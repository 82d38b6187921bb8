import { BackgroundLoop } from '../background-loop.js';
import type { Logger } from '../telemetry/logger.js';
import { hasSharedFiles, refreshCopies } from './shared-files.js';

/** Until then a machine may still hold what was deleted or erased on another one. */
const EVERY_MS = 300_000;
const STOP_WITHIN_MS = 2000;

/** Lets the copies of this machine follow the S3 store. None where machines share their folders. */
export function createSharedCopies(logger: Logger): BackgroundLoop[] {
  if (!hasSharedFiles()) return [];
  const problem = 'the copies of this machine cannot be compared with the S3 store';
  return [
    new BackgroundLoop({ look: refreshCopies, everyMs: EVERY_MS, stopWithinMs: STOP_WITHIN_MS, problem, logger }),
  ];
}
