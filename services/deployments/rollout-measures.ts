import type { Harm } from '../../core/decisions/rollout-evidence.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { RolloutSettings } from './open-deployment.js';

/** Something that is measured on each answer, as SQL over a logged row and its newest outcome `o`; NULL where it does not apply. */
export interface Measure {
  name: string;
  kind: 'rate' | 'mean';
  harm: Harm;
  sql: (row: string) => string;
  margin?: number;
  /** What a perfect version has. */
  ideal?: number;
  /** Whether a step counts only when it is shown to be safe; the others can only speak against a version. */
  isRequired: boolean;
}

/** A head whose answers are measured. */
export interface MeasuredHead extends SignatureHead {
  /** Answers give the probability of each class besides the class. */
  hasProbabilities?: boolean;
}

/** What a version predicts, with what its answers tell of it. */
export function measuredHeads(kind: string, heads: readonly SignatureHead[]): MeasuredHead[] {
  return heads.map((head) => ({ ...head, hasProbabilities: kind === 'classification' }));
}

/** Of a mean of probabilities minus truths, which is near 0 for every sound version. */
const CALIBRATION_MARGIN = 0.05;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** The truth of a yes-or-no head as 0 or 1, however it was reported. */
const truthOf = (head: string) =>
  `CASE lower(o.outcome->>${head}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN '1' THEN 1 WHEN '0' THEN 0 END`;
const numberAt = (json: string, head: string) =>
  `CASE jsonb_typeof(${json}->${head}) WHEN 'number' THEN (${json}->>${head})::float8 END`;

/** What can be measured of a head, by its task: its loss against the truth, its calibration and its mean. */
function measuresOfHead({ name, task, hasProbabilities }: MeasuredHead): Measure[] {
  const head = literal(name);
  const answer = (p: string) => numberAt(`${p}.predictions`, head);
  const mean: Measure = { name: `mean:${name}`, kind: 'mean', harm: 'either', sql: answer, isRequired: true };
  const loss = { name: `loss:${name}`, harm: 'rises' as const, isRequired: false };
  const calibration = { name: `calibration:${name}`, harm: 'either' as const, ideal: 0, margin: CALIBRATION_MARGIN };
  if (task === 'binary') {
    const residual = (p: string) => `(${answer(p)} - ${truthOf(head)})`;
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
    // How sure the answers are, less how often they are right.
    const surer = (p: string) =>
      `(${p}.predictions->'probabilities'->>(${p}.predictions->>${head}))::float8 - (1 - ${wrong(p)})`;
    const sure: Measure = { ...calibration, kind: 'mean', sql: surer, isRequired: false };
    return [{ ...loss, kind: 'rate', sql: wrong }, ...(hasProbabilities ? [sure] : [])];
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
export function measureNamed(name: string, heads: readonly MeasuredHead[]): (row: string) => string {
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
        ideal: harm === undefined || harm === 'either' ? measure.ideal : undefined,
        isRequired: measure.isRequired || isAsked,
      },
    ];
  });
}

/** The names that a request's guardrails may have for a model with these heads. */
export function knownGuardrails(heads: readonly MeasuredHead[]): string[] {
  return ['error_rate', 'slow_rate', ...heads.flatMap(measuresOfHead).map(({ name }) => name)];
}
