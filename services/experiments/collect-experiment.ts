import { stratumOf, type AdaptiveAllocation } from '../../core/decisions/allocation.js';
import type { ArmStratum, ExperimentArm } from '../../core/decisions/experiment-evidence.js';
import type { ArmSums } from '../../core/decisions/rollout-evidence.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import { NEWEST_OUTCOME } from '../deployments/collect-evidence.js';
import { measureNamed } from '../deployments/rollout-measures.js';
import type { ExperimentArmRoute } from './experiment-arms.js';

export interface MetricQuestion {
  model: string;
  metric: string;
  kind: 'binary' | 'mean' | 'ratio';
  heads: readonly SignatureHead[];
}

/** An entity that fed nothing back has bought nothing; a truth that has not come is not known. */
const countsSilence = (metric: string) => metric.startsWith('feedback:') || metric === 'error_rate';

/** Per entity: n and y, as the kind of the metric wants them, over rows `p` with their outcome `o`. */
function perEntity({ metric, kind, heads }: MetricQuestion): string {
  const value = measureNamed(metric, heads)('p');
  if (kind === 'ratio') {
    const y = countsSilence(metric) ? `coalesce(${value}, 0)` : value;
    return `count(${y})::float8 AS n, coalesce(sum(${y}), 0)::float8 AS y`;
  }
  const sum = kind === 'binary' ? `(max(${value}) > 0)::int::float8` : `sum(${value})::float8`;
  return countsSilence(metric)
    ? `1::float8 AS n, coalesce(${sum}, 0) AS y`
    : `(count(${value}) > 0)::int::float8 AS n, coalesce(${sum}, 0) AS y`;
}

interface Row extends ArmSums {
  arm: string;
  stratum: string;
  assigned: number;
  x: number | null;
  xSquared: number | null;
  withTotal: number;
  withRequests: number;
}

/**
 * Sums over the entities of each arm since the experiment began, with what each entity was like before it. Of an adaptive allocation they
 * are also divided by the stratum that an entity was first drawn from.
 */
export async function collectExperiment(
  { pool }: Database,
  question: MetricQuestion & {
    experimentId: string;
    since: Date;
    arms: readonly ExperimentArmRoute[];
    covariateDays: number;
    allocation?: AdaptiveAllocation | null;
  },
): Promise<{ arms: ExperimentArm[]; crossed: number }> {
  const { experimentId, since, model, covariateDays } = question;
  const { rows } = await pool.query<Row>(
    `WITH shown AS (
       SELECT p.* FROM predictions p WHERE p.trial_id = $1 AND p.created_at >= $2 AND p.entity_id IS NOT NULL),
     assigned AS (
       SELECT entity_id, min(arm) AS arm, coalesce((array_agg(stratum ORDER BY created_at, id))[1], '') AS stratum
       FROM shown GROUP BY 1 HAVING count(DISTINCT arm) = 1),
     during AS (
       SELECT p.entity_id, ${perEntity(question)} FROM shown p ${NEWEST_OUTCOME('p.id', '$2')} GROUP BY 1),
     before AS (
       SELECT p.entity_id, ${perEntity(question)} FROM predictions p ${NEWEST_OUTCOME('p.id', '$4')}
       WHERE p.model = $3 AND p.created_at >= $4 AND p.created_at < $2 AND p.shadow_of IS NULL AND p.entity_id IN (SELECT entity_id FROM assigned)
       GROUP BY 1),
     entities AS (
       SELECT a.arm, a.stratum, d.n, d.y, coalesce(b.y / nullif(b.n, 0), 0) AS x
       FROM assigned a JOIN during d USING (entity_id) LEFT JOIN before b USING (entity_id))
     SELECT arm, stratum, count(*)::float8 AS assigned, (count(*) FILTER (WHERE n > 0))::float8 AS entities,
       sum(n)::float8 AS requests, sum(y)::float8 AS total, sum(n * n)::float8 AS "requestsSquared",
       sum(y * y)::float8 AS "totalSquared", sum(n * y)::float8 AS crossed,
       (count(*) FILTER (WHERE y <> 0))::float8 AS "entitiesWithEvents",
       (sum(x) FILTER (WHERE n > 0))::float8 AS "x", (sum(x * x) FILTER (WHERE n > 0))::float8 AS "xSquared",
       sum(x * y)::float8 AS "withTotal", sum(x * n)::float8 AS "withRequests"
     FROM entities GROUP BY 1, 2`,
    [experimentId, since, model, new Date(since.getTime() - covariateDays * 86_400_000)],
  );
  const crossed = await pool.query<{ crossed: number }>(
    `SELECT count(*)::float8 AS crossed FROM (SELECT 1 FROM predictions p WHERE p.trial_id = $1 AND p.created_at >= $2
       AND p.entity_id IS NOT NULL GROUP BY p.entity_id HAVING count(DISTINCT p.arm) > 1) crossing`,
    [experimentId, since],
  );
  const arms = question.arms.map(({ arm, weight }, at) =>
    armOf(
      { arm, weight, at },
      rows.filter((row) => row.arm === arm),
      question.allocation,
    ),
  );
  return { crossed: crossed.rows[0]!.crossed, arms };
}

function armOf(
  { arm, weight, at }: { arm: string; weight: number; at: number },
  rows: readonly Row[],
  allocation: AdaptiveAllocation | null | undefined,
): ExperimentArm {
  const cells = rows.map(cellOf);
  const whole = cells.reduce(addCells, { assigned: 0, sums: NO_SUMS, before: NO_PAST });
  const { before, ...shown } = whole;
  const strata =
    allocation && strataOf(allocation, at, (stratum) => cells[rows.findIndex((row) => row.stratum === stratum)]);
  return { arm, weight, ...shown, ...(rows.length > 0 ? { before } : {}), ...(strata ? { strata } : {}) };
}

type Cell = Required<Pick<ExperimentArm, 'assigned' | 'sums' | 'before'>>;

/** Every batch that is open with every context of it, also where no entity has come from there yet. */
function strataOf(
  { opened }: AdaptiveAllocation,
  at: number,
  cellOfStratum: (stratum: string) => Cell | undefined,
): ArmStratum[] {
  return opened.flatMap(({ chances }, batch) =>
    Object.entries(chances).flatMap(([key, ofArms]): ArmStratum[] => {
      const stratum = stratumOf(batch, key);
      const propensity = ofArms[at]!;
      // An arm that was taken back has no part in what was opened since.
      if (propensity === 0) return [];
      return [{ stratum, propensity, ...(cellOfStratum(stratum) ?? { assigned: 0, sums: NO_SUMS }) }];
    }),
  );
}

function cellOf(row: Row): Cell {
  const { entities, requests, total, requestsSquared, totalSquared, crossed, entitiesWithEvents } = row;
  return {
    assigned: row.assigned,
    sums: { entities, requests, total, requestsSquared, totalSquared, crossed, entitiesWithEvents },
    before: {
      total: row.x ?? 0,
      squared: row.xSquared ?? 0,
      withTotal: row.withTotal,
      withRequests: row.withRequests,
    },
  };
}

function addCells(one: Cell, other: Cell): Cell {
  const add = <Sums extends object>(a: Sums, b: Sums) =>
    Object.fromEntries(
      Object.entries(a).map(([name, value]) => [name, (value as number) + (b as never)[name]]),
    ) as Sums;
  return {
    assigned: one.assigned + other.assigned,
    sums: add(one.sums, other.sums),
    before: add(one.before, other.before),
  };
}

const NO_PAST: Cell['before'] = { total: 0, squared: 0, withTotal: 0, withRequests: 0 };

const NO_SUMS: ArmSums = {
  entities: 0,
  requests: 0,
  total: 0,
  requestsSquared: 0,
  totalSquared: 0,
  crossed: 0,
  entitiesWithEvents: 0,
};

export interface MetricHistory {
  entities: number;
  /** Entities that had come by the end of each day of the log, counted from its beginning: those who come back are there once. */
  entitiesByDay: readonly number[];
  mean: number | null;
  deviation: number | null;
}

/** What the metric was in the last days: how fast entities come, their mean and its spread. */
export async function describeHistory(
  { pool }: Database,
  question: MetricQuestion & { until: Date; days: number },
): Promise<MetricHistory> {
  const { model, until, days } = question;
  const since = new Date(until.getTime() - days * 86_400_000);
  const { rows } = await pool.query<{ entities: number; mean: number | null; deviation: number | null }>(
    `SELECT count(*)::float8 AS entities, (sum(y) / nullif(sum(n), 0))::float8 AS mean, stddev_samp(y / n)::float8 AS deviation
     FROM (SELECT p.entity_id, ${perEntity(question)} FROM predictions p ${NEWEST_OUTCOME('p.id', '$2')}
       WHERE p.model = $1 AND p.created_at >= $2 AND p.created_at < $3 AND p.entity_id IS NOT NULL AND p.shadow_of IS NULL
       GROUP BY 1) entities WHERE n > 0`,
    [model, since, until],
  );
  const { rows: firsts } = await pool.query<{ day: number; entities: number; last: number }>(
    `SELECT day, count(*)::float8 AS entities,
       greatest(1, ceil(extract(epoch FROM $3::timestamptz - min(min(first)) OVER ()) / 86400))::int AS last
     FROM (SELECT first, floor(extract(epoch FROM first - min(first) OVER ()) / 86400)::int AS day
       FROM (SELECT min(created_at) AS first FROM predictions
         WHERE model = $1 AND created_at >= $2 AND created_at < $3 AND entity_id IS NOT NULL AND shadow_of IS NULL
         GROUP BY entity_id) e) d
     GROUP BY day ORDER BY day`,
    [model, since, until],
  );
  const entitiesByDay: number[] = [];
  for (let day = 0; day < (firsts[0]?.last ?? 0); day++)
    entitiesByDay.push((entitiesByDay.at(-1) ?? 0) + (firsts.find((row) => row.day === day)?.entities ?? 0));
  return { ...rows[0]!, entitiesByDay };
}
