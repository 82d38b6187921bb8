import type {
  ArmSums,
  AssignmentEvidence,
  Harm,
  MeasureEvidence,
  PairedMeasure,
} from '../../core/decisions/rollout-evidence.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import type { RolloutSettings } from './open-deployment.js';

/** Something that is measured on each answer, as SQL over a logged row and its newest outcome `o`; NULL where it does not apply. */
export interface Measure {
  name: string;
  kind: 'rate' | 'mean';
  harm: Harm;
  sql: (row: string) => string;
  margin?: number;
  /** Whether a step counts only when it is shown to be safe; the others can only speak against a version. */
  isRequired: boolean;
}

/** Answers of the present version that must have been timed before any is called slow. */
const TIMED_BEFORE_SLOW = 200;
/** Of a mean of probabilities minus truths, which is near 0 for every sound version. */
const CALIBRATION_MARGIN = 0.05;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** The truth of a yes-or-no head as 0 or 1, however it was reported. */
const truthOf = (head: string) =>
  `CASE lower(o.outcome->>${head}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN '1' THEN 1 WHEN '0' THEN 0 END`;
const numberAt = (json: string, head: string) =>
  `CASE jsonb_typeof(${json}->${head}) WHEN 'number' THEN (${json}->>${head})::float8 END`;

/** What can be measured of a head, by its task: its loss against the truth, its calibration and its mean. */
function measuresOfHead({ name, task }: SignatureHead): Measure[] {
  const head = literal(name);
  const answer = (p: string) => numberAt(`${p}.predictions`, head);
  const mean: Measure = { name: `mean:${name}`, kind: 'mean', harm: 'either', sql: answer, isRequired: true };
  const loss = { name: `loss:${name}`, harm: 'rises' as const, isRequired: false };
  if (task === 'binary') {
    const residual = (p: string) => `(${answer(p)} - ${truthOf(head)})`;
    const calibration = { name: `calibration:${name}`, harm: 'either' as const, margin: CALIBRATION_MARGIN };
    // A yes-or-no head whose answer is itself yes or no has no probability to be held to.
    const wrong = (
      p: string,
    ) => `CASE WHEN jsonb_typeof(${p}.predictions->${head}) = 'boolean' AND o.outcome->>${head} IS NOT NULL
      THEN ((${p}.predictions->>${head})::boolean::int <> ${truthOf(head)})::int::float8 END`;
    return [
      { ...loss, kind: 'mean', sql: (p) => `coalesce(${residual(p)} * ${residual(p)}, ${wrong(p)})` },
      { ...calibration, kind: 'mean', sql: residual, isRequired: false },
      mean,
    ];
  }
  if (task === 'multiclass') {
    const wrong = (p: string) => `CASE WHEN o.outcome->>${head} IS NOT NULL AND ${p}.predictions->>${head} IS NOT NULL
      THEN (${p}.predictions->>${head} <> o.outcome->>${head})::int::float8 END`;
    return [{ ...loss, kind: 'rate', sql: wrong }];
  }
  if (task === 'regression')
    return [{ ...loss, kind: 'mean', sql: (p) => `abs(${answer(p)} - ${numberAt('o.outcome', head)})` }, mean];
  return [];
}

/**
 * A single measure by its name, as SQL over a logged row and its newest outcome `o`: `error_rate`, `loss:head`, `outcome:head` (the truth
 * itself as a number) or `feedback:figure`.
 * @throws RangeError for a name that is not measured for these heads
 */
export function measureNamed(name: string, heads: readonly SignatureHead[]): (row: string) => string {
  const after = literal(name.slice(name.indexOf(':') + 1));
  if (name === 'error_rate') return (p) => `(${p}.error IS NOT NULL)::int::float8`;
  if (name.startsWith('feedback:')) return () => numberAt('o.metrics', after);
  if (name.startsWith('outcome:') && heads.some((head) => name === `outcome:${head.name}`))
    return () => `coalesce(${numberAt('o.outcome', after)}, ${truthOf(after)})`;
  const measure = heads.flatMap(measuresOfHead).find((item) => item.name === name);
  if (!measure) throw new RangeError(`"${name}" is not measured for a version with these heads`);
  return (p) => `CASE WHEN ${p}.error IS NULL THEN ${measure.sql(p)} END`;
}

/** What is watched in a rollout: the defaults, changed and added to by its settings. */
export function measuresOf(
  heads: readonly SignatureHead[],
  slowUs: number | null,
  settings: RolloutSettings,
): Measure[] {
  const errors: Measure = {
    name: 'error_rate',
    kind: 'rate',
    harm: 'rises',
    sql: measureNamed('error_rate', heads),
    isRequired: true,
  };
  const slow: Measure = {
    name: 'slow_rate',
    kind: 'rate',
    harm: 'rises',
    // An answer from the cache says nothing of the version.
    sql: (p) =>
      slowUs === null
        ? 'NULL::float8'
        : `CASE WHEN NOT ${p}.cached AND ${p}.error IS NULL THEN (${p}.latency_us > ${slowUs})::int::float8 END`,
    isRequired: true,
  };
  const asked = settings.guardrails ?? {};
  const figures = Object.keys(asked).filter((name) => name.startsWith('feedback:'));
  const known: Measure[] = [
    errors,
    slow,
    ...heads.flatMap(measuresOfHead).map((measure) => ({
      ...measure,
      // Another version took the place of one that failed: its answer says nothing of the one that failed.
      sql: (p: string) => `CASE WHEN ${p}.error IS NULL THEN ${measure.sql(p)} END`,
    })),
    ...figures.map((name): Measure => {
      const sql = () => numberAt('o.metrics', literal(name.slice('feedback:'.length)));
      return { name, kind: 'mean', harm: 'falls', sql, isRequired: true };
    }),
  ];
  return known.flatMap((measure): Measure[] => {
    const { enabled = true, margin, harm } = asked[measure.name] ?? {};
    const isAsked = measure.name in asked;
    // The mean of the answers may well differ between a worse and a better version: it is watched on request only.
    if (!enabled || (measure.name.startsWith('mean:') && !isAsked)) return [];
    return [
      {
        ...measure,
        margin: margin ?? measure.margin,
        harm: harm ?? measure.harm,
        isRequired: measure.isRequired || isAsked,
      },
    ];
  });
}

/** The names that a request's guardrails may have for a model with these heads. */
export function knownGuardrails(heads: readonly SignatureHead[]): string[] {
  return ['error_rate', 'slow_rate', ...heads.flatMap(measuresOfHead).map(({ name }) => name)];
}

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
  heads: readonly SignatureHead[];
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
    measures: measures.map(({ name, kind, harm, margin, isRequired }, at) => ({
      measure: name,
      kind,
      harm,
      candidate: sumsOf('candidate', at),
      baseline: sumsOf('baseline', at),
      ...(margin === undefined ? {} : { margin }),
      ...(isRequired ? {} : { isOptional: true }),
    })),
    assignment: split[0]!,
  };
}

/** The requests that both versions scored: the differences between them, new minus present, summed up by entity. */
export async function collectShadow(
  { pool }: Database,
  { deploymentId, since, heads, settings, slowUs }: EvidenceRequest,
): Promise<{ pairs: number; measures: PairedMeasure[] }> {
  const measures = measuresOf(heads, slowUs, settings).filter(({ name }) => !name.startsWith('feedback:'));
  const baselines = measures.map(({ sql }, at) => `(${sql('b')})::float8 AS b${at}`).join(', ');
  const differences = measures.map(
    (_, at) => `y${at} - b${at} AS y${at}, CASE WHEN y${at} IS NOT NULL THEN b${at} END AS b${at}`,
  );
  const means = measures.map((_, at) => `avg(b${at}) AS b${at}`).join(', ');
  const { rows } = await pool.query<Record<string, ArmSums | number | null>>(
    `WITH scored AS MATERIALIZED (
       SELECT coalesce(b.entity_id, b.id) AS entity, ${measureColumns(measures, 'p')}, ${baselines}
       FROM predictions p JOIN predictions b ON b.id = p.shadow_of AND b.created_at >= $2 ${NEWEST_OUTCOME('b.id', '$2')}
       WHERE p.trial_id = $1 AND p.created_at >= $2 AND p.arm = 'shadow'),
     pairs AS MATERIALIZED (SELECT entity, ${differences.join(', ')} FROM scored),
     entities AS (SELECT entity, ${ENTITY_SUMS(measures)} FROM pairs GROUP BY 1)
     SELECT * FROM (SELECT count(*)::float8 AS pairs, ${means} FROM pairs) a, (SELECT ${ARM_SUMS(measures)} FROM entities) c`,
    [deploymentId, since],
  );
  const found = rows[0]!;
  const pairs = Number(found['pairs']);
  return {
    pairs,
    measures: measures.map(({ name, kind, harm, margin, isRequired }, at) => ({
      measure: name,
      kind,
      harm,
      difference: pairs > 0 ? (found[`m${at}`] as ArmSums) : NO_SUMS,
      baselineMean: (found[`b${at}`] as number | null) ?? 0,
      ...(margin === undefined ? {} : { margin }),
      ...(isRequired ? {} : { isOptional: true }),
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
