import type { PoolClient } from 'pg';
import type { StoreCount } from './subject-in-rows.js';

/** What stands in place of a name. */
const BLOT = 'redacted';

interface NamingTable {
  /** JSON in which a text, or a name of a field, may be the person's. */
  json: readonly string[];
  /** Sentences in which the name may stand as a word of its own. */
  text: readonly string[];
}

/** Tables whose rows stay and let go of the name: they are about a model or a piece of work, and name a person among other things. */
export const NAMING_TABLES: Readonly<Record<string, NamingTable>> = {
  alerts: { json: ['evidence'], text: ['summary'] },
  alert_events: { json: ['detail'], text: ['note'] },
  alert_deliveries: { json: [], text: ['body'] },
  alert_observations: { json: [], text: ['summary'] },
  alert_silences: { json: ['matcher'], text: ['reason'] },
  webhook_deliveries: { json: [], text: ['body'] },
  repairs: { json: ['settings'], text: ['trigger', 'reason'] },
  repair_steps: { json: ['detail'], text: ['summary'] },
  runs: { json: ['params', 'error'], text: [] },
  sweeps: { json: ['plan', 'settings'], text: [] },
  validation_reports: { json: ['report'], text: [] },
  stream_states: { json: ['state'], text: [] },
  drills: { json: ['trials', 'result'], text: ['reason'] },
  deployments: { json: ['steps'], text: ['reason'] },
  deployment_evidence: { json: ['evidence', 'verdict'], text: [] },
  experiments: { json: ['verdict'], text: ['reason'] },
  experiment_evidence: { json: ['evidence', 'verdict'], text: [] },
};

/**
 * A name as a word of its own in a sentence, for PostgreSQL; undefined for a number, which would be found in every count.
 * Takes what goes on before and after with it: `\1` and `\2`.
 */
export function wordPattern(subject: string): string | undefined {
  if (/^[\d.,-]*$/.test(subject)) return undefined;
  const literal = subject.replaceAll(/[\\^$.|?*+()[\]{}-]/g, String.raw`\$&`);
  return String.raw`(^|[^[:alnum:]_-])${literal}($|[^[:alnum:]_-])`;
}

/** `$1` to `$3` of the conditions: the name, the name as JSON has it, and its pattern, which is empty where there is none. */
export const namesOf = (subject: string) => [subject, JSON.stringify(subject), wordPattern(subject) ?? ''];

/** Each of the three is named once, so that PostgreSQL knows their types. All of it is always true. */
export const ANY_NAMES = '($1::text <> $2::text AND $2::text <> $3::text)';

/** Blots the name out in every table of `NAMING_TABLES`. Repeatable. @returns how many rows named the person, by table */
export async function blotName(client: Pick<PoolClient, 'query'>, subject: string): Promise<StoreCount[]> {
  const counts: StoreCount[] = [];
  for (const [table, { json, text }] of Object.entries(NAMING_TABLES)) {
    const sets = [
      ...json.map((column) => `${column} = replace(${column}::text, $2, '"${BLOT}"')::jsonb`),
      ...text.map((column) => `${column} = ${blotted(column)}`),
    ];
    const { rowCount } = await client.query(
      `UPDATE ${table} SET ${sets.join(', ')} WHERE ${ANY_NAMES} AND (${namedIn(table).join(' OR ')})`,
      namesOf(subject),
    );
    counts.push({ store: `postgresql:${table}`, rows: rowCount ?? 0 });
  }
  return counts;
}

function blotted(column: string): string {
  const words = (from: string) => `regexp_replace(${from}, $3, '\\1${BLOT}\\2', 'g')`;
  const quoted = `replace(${column}, $2, '"${BLOT}"')`;
  // Twice, since two names with one space between them share it.
  return `CASE WHEN ${column} = $1 THEN '${BLOT}' WHEN $3 = '' THEN ${quoted} ELSE ${words(words(quoted))} END`;
}

/** Conditions under which a row of a table names a person; none for tables that are not of `NAMING_TABLES`. */
export function namedIn(table: string): string[] {
  const { json, text } = NAMING_TABLES[table] ?? { json: [], text: [] };
  return [
    ...json.map((column) => `strpos(${column}::text, $2) > 0`),
    ...text.map((column) => `${column} = $1 OR strpos(${column}, $2) > 0 OR ($3 <> '' AND ${column} ~ $3)`),
  ];
}
