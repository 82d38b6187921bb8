import pino from 'pino';
import { currentContext } from './correlation.js';
import { redact, withoutCredentials } from './redact.js';
import { currentTraceId } from './tracing.js';

export type Logger = pino.Logger;

/** An error as data, without credentials, so that one log line stays one line. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message: withoutCredentials(message), stack: withoutCredentials(stack) };
}

/** What each line of a call says of it. */
function callFields(): Record<string, string> {
  const { correlationId, jobId, model, version } = currentContext() ?? {};
  const traceId = currentTraceId();
  return {
    ...(correlationId ? { correlation_id: correlationId } : {}),
    ...(jobId ? { job_id: jobId } : {}),
    ...(model ? { model } : {}),
    ...(version ? { version } : {}),
    ...(traceId ? { trace_id: traceId } : {}),
  };
}

/**
 * JSON lines on stdout; each carries the ids of the call that it belongs to, and neither secrets nor personal data.
 * @param onLine is given each line as it is written
 */
export function createLogger(component: string, level: string, onLine?: (line: string) => void): Logger {
  return pino({
    level,
    base: { component, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: redact },
    messageKey: 'message',
    serializers: { err: serializeError, error: serializeError },
    mixin: callFields,
    ...(onLine ? { hooks: { streamWrite: (line: string) => (onLine(line), line) } } : {}),
  });
}
