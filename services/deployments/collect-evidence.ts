import type {
  ArmSums,
  AssignmentEvidence,
  MeasureEvidence,
  PairedMeasure,
} from '../../core/decisions/rollout-evidence.js';
import type { Database } from '../database/database.js';
import type { RolloutSettings } from './open-deployment.js';
import { measuresOf, type Measure, type MeasuredHead } from './rollout-measures.js';

/** Answers of the present version that must have been timed before any is called slow. */
const TIMED_BEFORE_SLOW = 200;
/** Of each row the measures as columns y0, y1, …: one pass over the rows whatever their number. */
export const measureColumns = (measures: readonly Measure[], row: string) =>
  measures.map(({ sql }, at) => `(${sql(row)})::float8 AS y${at}`).join(', ');
/** Of the rows of an entity, by measure: how many have it, and their sum. */
export const ENTITY_SUMS = (measures: readonly Measure[]) =>
  measures.map((_, at) => `count(y${at})::float8 AS n${at}, coalesce(sum(y${at}), 0) AS s${at}`).join(', ');
/** Of the entities, by measure: what `ArmSums` has. */
const ARM_SUMS = (measures: readonly Measure[]) =>
  measures
    .map(
      (_, at) => `json_build_object('entities', count(*) FILTER (WHERE n${at} > 0), 'requests', sum(n${at}),
        'total', sum(s${at}), 'requestsSquared', sum(n${at} * n${at}), 'totalSquared', sum(s${at} * s${at}),
        'crossed', sum(n${at} * s${at}), 'entitiesWithEvents', count(*) FILTER (WHERE s${at} <> 0)) AS m${at}`,
    )
    .join(', ');
const NO_SUMS: ArmSums = {
  entities: 0,
  requests: 0,
  total: 0,
  requestsSquared: 0,
  totalSquared: 0,
  crossed: 0,
  entitiesWithEvents: 0,
};

/**
 * Joins to logged rows what is known of their truth: the newest report.
 * @param since parameter of the query: outcomes cannot be older than the predictions that they are about, but for an hour that clocks may differ
 */
export const NEWEST_OUTCOME = (id: string, since: string) => `LEFT JOIN (
  SELECT DISTINCT ON (r.prediction_id) r.prediction_id, r.outcome, r.metrics FROM prediction_outcomes r
  WHERE r.received_at >= ${since}::timestamptz - interval '1 hour' ORDER BY r.prediction_id, r.observed_at DESC) o ON o.prediction_id = ${id}`;

export interface EvidenceRequest {
  deploymentId: string;
  since: Date;
  heads: readonly MeasuredHead[];
  settings: RolloutSettings;
  slowUs: number | null;
}

/** What both cohorts have shown since the rollout began, summed up by entity. */
export async function collectCanary(
  { pool }: Database,
  { deploymentId, since, heads, settings, slowUs }: EvidenceRequest,
): Promise<{ measures: MeasureEvidence[]; assignment: AssignmentEvidence }> {
  const measures = measuresOf(heads, slowUs, settings);
  const cohorts = `SELECT p.* FROM predictions p
    WHERE p.trial_id = $1 AND p.created_at >= $2 AND p.arm IN ('candidate', 'baseline')`;
  const { rows } = await pool.query<Record<string, ArmSums> & { arm: unknown }>(
    `WITH measured AS (
       SELECT p.arm, coalesce(p.entity_id, p.id) AS entity, ${measureColumns(measures, 'p')}
       FROM (${cohorts}) p ${NEWEST_OUTCOME('p.id', '$2')}),
     entities AS (SELECT arm, entity, ${ENTITY_SUMS(measures)} FROM measured GROUP BY 1, 2)
     SELECT arm, ${ARM_SUMS(measures)} FROM entities GROUP BY 1`,
    [deploymentId, since],
  );
  const { rows: split } = await pool.query<{ candidate: number; baseline: number; both: number }>(
    `SELECT (count(*) FILTER (WHERE first = last AND first = 'candidate'))::float8 AS candidate,
            (count(*) FILTER (WHERE first = last AND first = 'baseline'))::float8 AS baseline,
            (count(*) FILTER (WHERE first <> last))::float8 AS both
     FROM (SELECT min(p.arm) AS first, max(p.arm) AS last FROM (${cohorts}) p GROUP BY coalesce(p.entity_id, p.id)) entities`,
    [deploymentId, since],
  );
  const sumsOf = (arm: string, at: number): ArmSums => rows.find((row) => row.arm === arm)?.[`m${at}`] ?? NO_SUMS;
  return {
    measures: measures.map((measure, at) => ({
      ...presentMeasure(measure),
      candidate: sumsOf('candidate', at),
      baseline: sumsOf('baseline', at),
    })),
    assignment: split[0]!,
  };
}

/** A measure as it stands in evidence, without its sums. */
export const presentMeasure = ({ name, kind, harm, margin, ideal, isRequired }: Measure) => ({
  measure: name,
  kind,
  harm,
  ...(margin === undefined ? {} : { margin }),
  ...(ideal === undefined ? {} : { ideal }),
  ...(isRequired ? {} : { isOptional: true }),
});

/** What both versions answered to the same requests since the rollout began. */
export function collectShadow(
  { pool }: Database,
  { deploymentId, since, heads, settings, slowUs }: EvidenceRequest,
): Promise<PairedSums> {
  const measures = measuresOf(heads, slowUs, settings).filter(({ name }) => !name.startsWith('feedback:'));
  const pairs = `predictions p JOIN predictions b ON b.id = p.shadow_of AND b.created_at >= $2 ${NEWEST_OUTCOME('b.id', '$2')}
    WHERE p.trial_id = $1 AND p.created_at >= $2 AND p.arm = 'shadow'`;
  return sumPairs(pool, measures, pairs, [deploymentId, since]);
}

/** A row that both versions answered offline, with what turned out to be true. */
export interface AnsweredCase {
  entity: string;
  candidate: { predictions: object } | { error: string };
  present: { predictions: object } | { error: string };
  outcome: object;
}

/** What both versions answered to rows that neither has learnt from. Measured as in a shadow, but that the loss must be shown to be safe. */
export function collectHoldout(
  { pool }: Database,
  { heads, settings, cases }: Pick<EvidenceRequest, 'heads' | 'settings'> & { cases: readonly AnsweredCase[] },
): Promise<PairedSums> {
  const measures = measuresOf(heads, null, settings)
    .filter(({ name }) => name !== 'slow_rate' && !name.startsWith('feedback:'))
    .map((measure) => ({ ...measure, isRequired: measure.name.startsWith('loss:') }));
  const answer = (
    of: string,
  ) => `LATERAL (SELECT h.entity AS entity_id, h.entity AS id, h.${of}->'predictions' AS predictions,
    h.${of}->>'error' AS error)`;
  const pairs = `jsonb_to_recordset($1::jsonb) AS h(entity text, candidate jsonb, present jsonb, outcome jsonb),
    ${answer('candidate')} p, ${answer('present')} b, LATERAL (SELECT h.outcome, '{}'::jsonb AS metrics) o`;
  return sumPairs(pool, measures, pairs, [JSON.stringify(cases)]);
}

export interface PairedSums {
  pairs: number;
  measures: PairedMeasure[];
}

/** Sums the differences between rows `p` of the new version and `b` of the present one, with their truth `o`, by the entity of `b`. */
async function sumPairs(
  pool: Database['pool'],
  measures: readonly Measure[],
  pairsFrom: string,
  values: unknown[],
): Promise<PairedSums> {
  const baselines = measures.map(({ sql }, at) => `(${sql('b')})::float8 AS b${at}`).join(', ');
  const differences = measures.map(
    (_, at) => `y${at} - b${at} AS y${at}, CASE WHEN y${at} IS NOT NULL THEN b${at} END AS b${at}`,
  );
  const means = measures.map((_, at) => `avg(b${at}) AS b${at}`).join(', ');
  const { rows } = await pool.query<Record<string, ArmSums | number | null>>(
    `WITH scored AS MATERIALIZED (
       SELECT coalesce(b.entity_id, b.id) AS entity, ${measureColumns(measures, 'p')}, ${baselines} FROM ${pairsFrom}),
     pairs AS MATERIALIZED (SELECT entity, ${differences.join(', ')} FROM scored),
     entities AS (SELECT entity, ${ENTITY_SUMS(measures)} FROM pairs GROUP BY 1)
     SELECT * FROM (SELECT count(*)::float8 AS pairs, ${means} FROM pairs) a, (SELECT ${ARM_SUMS(measures)} FROM entities) c`,
    values,
  );
  const found = rows[0]!;
  const pairs = Number(found['pairs']);
  return {
    pairs,
    measures: measures.map((measure, at) => ({
      ...presentMeasure(measure),
      difference: pairs > 0 ? (found[`m${at}`] as ArmSums) : NO_SUMS,
      baselineMean: (found[`b${at}`] as number | null) ?? 0,
    })),
  };
}

/** @returns microseconds above which an answer is slow, or undefined while the present version has shown too little */
export async function findSlowUs(
  { pool }: Database,
  { deploymentId, since }: EvidenceRequest,
  slowMs: number,
): Promise<number | undefined> {
  const { rows } = await pool.query<{ timed: number; p99: number }>(
    `SELECT count(*)::float8 AS timed, percentile_disc(0.99) WITHIN GROUP (ORDER BY b.latency_us)::float8 AS p99
     FROM predictions b WHERE b.created_at >= $2 AND NOT b.cached AND b.error IS NULL AND
       ((b.trial_id = $1 AND b.arm = 'baseline')
        OR b.id IN (SELECT s.shadow_of FROM predictions s WHERE s.trial_id = $1 AND s.created_at >= $2 AND s.arm = 'shadow'))`,
    [deploymentId, since],
  );
  const { timed, p99 } = rows[0]!;
  return timed < TIMED_BEFORE_SLOW ? undefined : Math.max(Math.round(slowMs * 1000), p99);
}
