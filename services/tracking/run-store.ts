import { ServiceError } from '../../core/errors.js';
import type { RunField, RunFilter } from '../../core/schemas/run-filter.js';
import type { RunsQuery } from '../../core/schemas/run.js';
import type { Database, Prisma } from '../database/database.js';
import { createSqlBuilder, filterSql, valueSql, type SqlBuilder } from './run-query.js';

type RunRow = Prisma.RunGetPayload<object>;

export interface RunSelection {
  model?: string;
  status?: string;
  kind?: string;
  parent_id?: string;
  filter?: RunFilter;
  /** Only of these; of all without it. */
  models?: readonly string[];
}

/** A run as callers see it. */
export function presentRun(row: RunRow) {
  return {
    run_id: row.id,
    kind: row.kind,
    parent_id: row.parentId,
    model: row.model,
    status: row.status,
    params: row.params as Record<string, unknown>,
    metrics: row.metrics as Record<string, number>,
    artifacts: row.artifacts,
    version: row.version,
    dataset_id: row.datasetId,
    dataset_digest: row.datasetDigest,
    code_version: row.codeVersion,
    environment: row.environment,
    cost: { wall_seconds: row.wallSeconds, cpu_seconds: row.cpuSeconds, peak_memory_bytes: row.peakMemoryBytes },
    error: row.error,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}
export type PresentedRun = ReturnType<typeof presentRun>;

function whereSql({ filter, models, ...columns }: RunSelection, sql: SqlBuilder): string {
  const equal = Object.entries(columns).filter(([, value]) => value !== undefined);
  const conditions = equal.map(([column, value]) => `${column} = ${sql.bind(value)}`);
  if (models) conditions.push(`model = ANY(${sql.bind(models)})`);
  if (filter) conditions.push(filterSql(filter, sql));
  return conditions.length > 0 ? conditions.join(' AND ') : 'true';
}

const NEWEST_FIRST = { field: { kind: 'time', name: 'created_at' } as RunField, isDescending: true };

/** Reads runs. */
export function createRunStore({ prisma, pool }: Database) {
  /** The rows of some ids, in their order. */
  async function readInOrder(ids: readonly string[]): Promise<RunRow[]> {
    const rows = await prisma.run.findMany({ where: { id: { in: [...ids] } } });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.flatMap((id) => byId.get(id) ?? []);
  }

  async function requireCursor(id: string): Promise<void> {
    if (await prisma.run.findUnique({ where: { id }, select: { id: true } })) return;
    throw new ServiceError('request_invalid', 'The cursor is none of this list. Use next_cursor of the page before.', [
      { path: 'cursor', message: 'is not a cursor of this list' },
    ]);
  }

  return {
    /** @throws ServiceError `run_not_found` */
    async get(id: string): Promise<PresentedRun> {
      const row = await prisma.run.findUnique({ where: { id } });
      if (row) return presentRun(row);
      throw unknownRun(id);
    },

    /** One page of those that fit; runs without a value for what is sorted by come last. */
    async list({ limit, cursor, order_by: order = NEWEST_FIRST, ...selection }: RunsQuery & RunSelection) {
      if (cursor !== undefined) await requireCursor(cursor);
      const sql = createSqlBuilder();
      const key = valueSql(order.field, sql);
      const direction = order.isDescending ? 'DESC' : 'ASC';
      const conditions = [whereSql(selection, sql)];
      if (cursor !== undefined) {
        const id = sql.bind(cursor);
        // After the run of the cursor: a value further on, or none, or the same and a later id.
        const last = `(SELECT ${key} FROM runs WHERE id = ${id})`;
        conditions.push(
          `(${key} ${order.isDescending ? '<' : '>'} ${last} OR (${key} IS NULL AND ${last} IS NOT NULL) ` +
            `OR (${key} IS NOT DISTINCT FROM ${last} AND id < ${id}))`,
        );
      }
      const { rows } = await pool.query<{ id: string }>(
        `SELECT id FROM runs WHERE ${conditions.join(' AND ')}
         ORDER BY ${key} ${direction} NULLS LAST, id DESC LIMIT ${sql.bind(limit + 1)}`,
        sql.values,
      );
      const ids = rows.slice(0, limit).map(({ id }) => id);
      const items = (await readInOrder(ids)).map(presentRun);
      return { items, next_cursor: rows.length > limit ? ids.at(-1)! : null };
    },

    /** The latest that fit, oldest first. */
    async latest(selection: RunSelection, most: number): Promise<PresentedRun[]> {
      const sql = createSqlBuilder();
      const { rows } = await pool.query<{ id: string }>(
        `SELECT id FROM runs WHERE ${whereSql(selection, sql)} ORDER BY created_at DESC, id DESC LIMIT ${sql.bind(most)}`,
        sql.values,
      );
      return (await readInOrder(rows.map(({ id }) => id).toReversed())).map(presentRun);
    },

    /** The runs of some ids, in their order. @throws ServiceError `run_not_found` that names the first that is missing */
    async getAll(ids: readonly string[]): Promise<PresentedRun[]> {
      const rows = await readInOrder(ids);
      const missing = ids.find((id) => rows.every((row) => row.id !== id));
      if (missing !== undefined) throw unknownRun(missing);
      return rows.map(presentRun);
    },

    /** Curves by name, each thinned to `points` at even distances, first and last kept. */
    async curves(runIds: readonly string[], { name, points }: { name?: string; points: number }): Promise<RunCurve[]> {
      const { rows } = await pool.query<{ run_id: string; name: string; step: number; value: number; at: Date }>(
        `SELECT run_id, name, step, value, at FROM (
           SELECT *, row_number() OVER w - 1 AS place, count(*) OVER (PARTITION BY run_id, name) AS total FROM run_metrics
           WHERE run_id = ANY($1) AND ($2::text IS NULL OR name = $2)
           WINDOW w AS (PARTITION BY run_id, name ORDER BY step)) m
         -- Kept where the number of the even places up to here goes up.
         WHERE total <= $3 OR place = 0 OR
           floor(place::float8 * ($3 - 1) / (total - 1)) > floor((place - 1)::float8 * ($3 - 1) / (total - 1))
         ORDER BY run_id, name, step`,
        [runIds, name ?? null, points],
      );
      const curves = new Map<string, RunCurve>();
      for (const { run_id: runId, name: curve, step, value, at } of rows) {
        const key = JSON.stringify([runId, curve]);
        const known = curves.get(key) ?? { run_id: runId, name: curve, points: [] };
        known.points.push({ step, value, at: at.toISOString() });
        curves.set(key, known);
      }
      return [...curves.values()];
    },
  };
}

export interface RunCurve {
  run_id: string;
  name: string;
  points: { step: number; value: number; at: string }[];
}

export type RunStore = ReturnType<typeof createRunStore>;

const unknownRun = (id: string) =>
  new ServiceError('run_not_found', `There is no run "${id.slice(0, 100)}". GET /runs lists them.`);
