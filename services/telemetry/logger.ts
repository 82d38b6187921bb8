import pino from 'pino';
import { currentContext } from './correlation.js';

export type Logger = pino.Logger;

/** Credentials in a connection string, wherever it turns up in a message. */
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;

export function withoutCredentials(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1:***@');
}

/** An error as data, without credentials, so that one log line stays one line. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message: withoutCredentials(message), stack: withoutCredentials(stack) };
}

/** JSON lines on stdout; each carries the correlation id of the call that it belongs to. */
export function createLogger(component: string, level: string): Logger {
  return pino({
    level,
    base: { component, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    messageKey: 'message',
    serializers: { err: serializeError, error: serializeError },
    // The SDK hands task tokens over as metadata; they open workflows and must not be logged.
    redact: { paths: ['taskToken', 'req.headers.authorization', 'password', 'url'], censor: '***' },
    mixin: () => {
      const context = currentContext();
      return context
        ? { correlation_id: context.correlationId, ...(context.jobId ? { job_id: context.jobId } : {}) }
        : {};
    },
  });
}
