import type { Pool, PoolClient } from 'pg';
import type { Database } from '../database/database.js';
import { withStatementLimit } from '../database/watched-client.js';
import { ANY_NAMES, blotName, namedIn, namesOf } from './named-in-text.js';
import { NOT_SEARCHED } from './table-lists.js';

/** A log of years is looked through once; nobody waits for it. */
const LOOK_THROUGH_MS = 30 * 60_000;

/** What a store was found to hold of a person. */
export interface StoreCount {
  store: string;
  rows: number;
}

/** A text as PostgreSQL writes it into JSON, with the quotes around it. */
const asJson = (subject: string) => JSON.stringify(subject);

/** Rows of predictions: those about the person, and those whose features or answer name the person. */
const OF_SUBJECT = `(entity_id = $1 OR strpos(features::text, $2) > 0 OR strpos(predictions::text, $2) > 0)`;

/** Rows of a segment that is the person, such as `user=ann`. */
const IN_SEGMENT = `right(segment, length($1) + 1) = '=' || $1`;

/** Erases a person from the tables. Repeatable. @returns what went, by table */
export async function eraseFromTables({ pool }: Database, subject: string): Promise<StoreCount[]> {
  return withLongStatements(pool, async (client) => {
    const json = asJson(subject);
    const names = namesOf(subject);
    const erase = async (table: string, sql: string, values: unknown[]) => ({
      store: `postgresql:${table}`,
      rows: (await client.query(sql, values)).rowCount ?? 0,
    });
    return [
      await erase(
        'prediction_outcomes',
        `DELETE FROM prediction_outcomes WHERE strpos(outcome::text, $2) > 0 OR prediction_id IN (SELECT id FROM predictions WHERE ${OF_SUBJECT})`,
        [subject, json],
      ),
      await erase('predictions', `DELETE FROM predictions WHERE ${OF_SUBJECT}`, [subject, json]),
      await erase('feature_values', 'DELETE FROM feature_values WHERE entity_id = $1 OR strpos(content, $2) > 0', [
        subject,
        json,
      ]),
      await erase('events', 'DELETE FROM events WHERE strpos(payload, $1) > 0', [json]),
      // What was found of a segment of the person, or names the person among its samples; and alerts that nobody can follow without it.
      await erase(
        'monitor_findings',
        `DELETE FROM monitor_findings WHERE ${IN_SEGMENT} OR strpos(evidence::text, $2) > 0 OR ($3 <> '' AND summary ~ $3)`,
        names,
      ),
      await erase(
        'alert_events',
        `DELETE FROM alert_events WHERE ${ANY_NAMES} AND alert_id IN (SELECT id FROM alerts WHERE ${IN_SEGMENT})`,
        names,
      ),
      await erase('alerts', `DELETE FROM alerts WHERE ${ANY_NAMES} AND ${IN_SEGMENT}`, names),
      ...(await blotName(client, subject)),
      // A segment, a class or an item may have the person's name; the sums of that hour go with it.
      await erase(
        'performance_rollups',
        `DELETE FROM performance_rollups WHERE strpos(answers::text, $2) > 0 OR strpos(outcomes::text, $2) > 0 OR ${IN_SEGMENT}`,
        [subject, json],
      ),
      // Requests with filters that name the person, and what materializations say of extreme values.
      await erase(
        'jobs',
        `UPDATE jobs SET request = '{"redacted": true}', result = CASE WHEN strpos(result::text, $1) > 0 THEN '{"redacted": true}' ELSE result END,
           error = CASE WHEN strpos(error::text, $1) > 0 THEN '{"redacted": true}' ELSE error END
         WHERE status IN ('completed', 'failed', 'cancelled')
           AND (strpos(request::text, $1) > 0 OR strpos(coalesce(result::text, ''), $1) > 0 OR strpos(coalesce(error::text, ''), $1) > 0)`,
        [json],
      ),
      // A message of a failure may name the person as a word of its own.
      await erase(
        'job_log_lines',
        `DELETE FROM job_log_lines WHERE ${ANY_NAMES} AND (strpos(detail::text, $2) > 0 OR ($3 <> '' AND message ~ $3))`,
        names,
      ),
      await erase(
        'feature_materializations',
        `UPDATE feature_materializations SET statistics = replace(statistics::text, $1, 'null')::jsonb WHERE strpos(statistics::text, $1) > 0`,
        [json],
      ),
    ];
  });
}

/** Looks through every column of every table that can hold a text. @returns the tables where the person still stands */
export async function searchTables({ pool }: Database, subject: string): Promise<StoreCount[]> {
  const { rows: columns } = await pool.query<{ table: string; columns: { name: string; type: string }[] }>(
    `SELECT c.table_name AS table, json_agg(json_build_object('name', c.column_name, 'type', c.data_type)) AS columns
     FROM information_schema.columns c JOIN pg_class k ON k.relname = c.table_name AND k.relkind IN ('r', 'p') AND NOT k.relispartition
     JOIN pg_namespace n ON n.oid = k.relnamespace AND n.nspname = c.table_schema
     WHERE c.table_schema = current_schema() AND c.data_type IN ('text', 'character varying', 'json', 'jsonb') AND c.table_name <> ALL($1)
     GROUP BY 1 ORDER BY 1`,
    [Object.keys(NOT_SEARCHED)],
  );
  return withLongStatements(pool, async (client) => {
    const counts: StoreCount[] = [];
    for (const { table, columns: texts } of columns) {
      const conditions = texts.map(({ name, type }) =>
        type.startsWith('json')
          ? `strpos(${quote(name)}::text, $2) > 0`
          : `${quote(name)} = $1 OR strpos(${quote(name)}, $2) > 0`,
      );
      const { rows } = await client.query<{ rows: number }>(
        `SELECT count(*)::int AS rows FROM ${quote(table)} WHERE ${ANY_NAMES} AND (${[...conditions, ...namedIn(table)].join(' OR ')})`,
        namesOf(subject),
      );
      counts.push({ store: `postgresql:${table}`, rows: rows[0]!.rows });
    }
    return counts;
  });
}

async function withLongStatements<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await withStatementLimit(client, LOOK_THROUGH_MS, () => work(client));
  } finally {
    client.release();
  }
}

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
