import { CancelledFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { ServiceError } from '../core/errors.js';
import { SENSITIVE_FIELDS } from '../core/sensitive-fields.js';
import type { Logger } from '../services/telemetry/logger.js';

/** A step that takes longer says so before it has ended. */
const LONG_MS = 1000;
/** Notes about the job itself; its stages and its end are in the log already. */
const QUIET: ReadonlySet<string> = new Set(['beginJob', 'notePaused', 'finishJob']);
/** Of no use in the log: what would be left out there, and the job itself. */
const NO_FIGURES = new Set<string>(['jobId', ...SENSITIVE_FIELDS.secret, ...SENSITIVE_FIELDS.personal]);
/** Ids, versions, states and the like. */
const SHORT = /^[\w.:-]{1,80}$/;
const MOST_FIGURES = 12;

/** Tells the log of the job of each attempt of a step: that it takes long, how it ended, and the figures that it came to. */
export function logActivity(
  { activityType: activity, attempt }: { activityType: string; attempt: number },
  logger: Logger,
): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      if (QUIET.has(activity)) return next(input);
      const startMs = performance.now();
      const about = () => ({ activity, attempt, seconds: Math.round(performance.now() - startMs) / 1000 });
      const begun = setTimeout(() => logger.info({ activity, attempt }, `${activity} is under way`), LONG_MS);
      try {
        const result = await next(input);
        logger.info({ ...about(), ...figuresOf(result) }, `${activity} done`);
        return result;
      } catch (error) {
        if (error instanceof CancelledFailure) logger.info(about(), `${activity} cancelled`);
        else logger.warn({ ...about(), ...reasonOf(error) }, `${activity} failed`);
        throw error;
      } finally {
        clearTimeout(begun);
      }
    },
  };
}

/** The figures, ids and states among the fields of a result. */
export function figuresOf(result: unknown): Record<string, unknown> {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return {};
  const isFigure = (value: unknown) =>
    typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && SHORT.test(value));
  const figures = Object.entries(result).filter(([name, value]) => !NO_FIGURES.has(name) && isFigure(value));
  return Object.fromEntries(figures.slice(0, MOST_FIGURES));
}

function reasonOf(error: unknown): { code?: string; reason: string } {
  if (!(error instanceof Error)) return { reason: String(error) };
  const code = error instanceof ServiceError ? error.code : (error as { type?: unknown }).type;
  return { ...(typeof code === 'string' ? { code } : {}), reason: error.message };
}
