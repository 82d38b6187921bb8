import { createHmac, hkdfSync } from 'node:crypto';
import { SENSITIVE_FIELDS } from '../../core/sensitive-fields.js';

/** Credentials in a connection string, wherever it turns up in a message. */
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;

/** Service tokens and JWTs, wherever a caller has put one: into a path, a name or a header of its own. */
const TOKENS = /\b(mlps_)[\w-]{20,}|\b(eyJ)[\w-]{8,}\.[\w-]+\.[\w-]*/g;

export function withoutCredentials(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1:***@').replace(TOKENS, '$1$2***');
}

const SENSITIVE = new Set<string>([...SENSITIVE_FIELDS.secret, ...SENSITIVE_FIELDS.personal]);
/** Of these the log may say that two are the same, not who it is. */
const IDENTIFYING = new Set<string>([
  'entities',
  'entity',
  'entity_id',
  'entity_ids',
  'entityId',
  'project_id',
  'series_id',
  'subject',
  'user_id',
]);
let pseudonymKey: Buffer | undefined;

/**
 * With keys ids of entities are told as pseudonyms: a keyed hash, the same in all processes, that nobody can try names on who lacks the key. Without
 * any they are left out.
 * @param keys the last one is taken: it changes when a rotation is over, not when it begins
 */
export function usePseudonyms(keys: readonly { key: Buffer }[] | undefined): void {
  const last = keys?.at(-1);
  pseudonymKey = last && Buffer.from(hkdfSync('sha256', last.key, '', 'mlops pseudonyms in logs', 32));
}

/** @returns `***` without keys, and for what is no id */
export function pseudonymOf(id: unknown): unknown {
  if (Array.isArray(id)) return pseudonymKey ? id.slice(0, MOST_IDS).map(pseudonymOf) : '***';
  if (!pseudonymKey || (typeof id !== 'string' && typeof id !== 'number')) return '***';
  return `~${createHmac('sha256', pseudonymKey).update(String(id)).digest('base64url').slice(0, 12)}`;
}

const MOST_IDS = 20;
/** Deeper things are not worth a log line. */
const DEEPEST = 6;

/**
 * What is logged, without secrets and personal data: fields by their names (`core/sensitive-fields.ts`) at any depth, and credentials within
 * texts. Errors are left to their serializer.
 */
export function redact(logged: Record<string, unknown>): Record<string, unknown> {
  return redactFields(logged, DEEPEST) as Record<string, unknown>;
}

function redactField(name: string, value: unknown, depth: number): unknown {
  if (IDENTIFYING.has(name)) return pseudonymOf(value);
  return SENSITIVE.has(name) ? '***' : redactFields(value, depth - 1);
}

function redactFields(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutCredentials(value);
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object' || value instanceof Error || value instanceof Date) return value;
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => redactFields(item, depth - 1));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactField(name, inner, depth)]));
}
