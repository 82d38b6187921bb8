import { SENSITIVE_FIELDS } from '../../core/sensitive-fields.js';

/** Credentials in a connection string, wherever it turns up in a message. */
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;

export function withoutCredentials(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1:***@');
}

/** What stands in place of a sensitive field. */
export const LEFT_OUT = '***';

const SENSITIVE = new Set<string>([...SENSITIVE_FIELDS.secret, ...SENSITIVE_FIELDS.personal]);
/** Deeper things are not worth a log line. */
const DEEPEST = 6;

/**
 * What is logged, without secrets and personal data: fields by their names (`core/sensitive-fields.ts`) at any depth, and credentials within
 * texts. Errors are left to their serializer.
 */
export function redact(logged: Record<string, unknown>): Record<string, unknown> {
  return redactFields(logged, DEEPEST) as Record<string, unknown>;
}

function redactFields(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutCredentials(value);
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object' || value instanceof Error || value instanceof Date) return value;
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => redactFields(item, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SENSITIVE.has(name) ? LEFT_OUT : redactFields(inner, depth - 1)]),
  );
}
