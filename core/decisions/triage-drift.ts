import type { DriftCause, DriftCauseName } from './find-drift-cause.js';

export const DRIFT_ADVICE = ['ignore', 'fix_upstream', 'retrain', 'roll_back'] as const;
export type DriftAdvice = (typeof DRIFT_ADVICE)[number];

/** What the model's own probabilities say that the change costs. Blind to a change of what the inputs mean. */
export interface EstimatedEffect {
  metric: 'accuracy';
  head: string;
  reference: number;
  current: number;
  change: number;
  /** One standard deviation of what chance does to the current figure. */
  deviation: number;
}

export interface DriftCircumstances {
  /** `input`, `prediction` or `label`: what drifted. */
  what: 'input' | 'prediction' | 'label';
  cause: DriftCause;
  /** The column's share of the model's importance, 0 to 1; undefined where the version has none measured. */
  importance: number | undefined;
  /** Whether the same hours of earlier weeks show it as well. `not_known`: the log has less than four weeks. */
  season: 'explains' | 'does_not_explain' | 'not_known';
  /** Whether another version began to answer in the windows that show it. */
  isNewVersion: boolean;
  /** Whether an input is in alarm, too. */
  hasInputAlarm: boolean;
  estimates: readonly EstimatedEffect[];
}

/** Causes that no world has and only a pipeline makes. */
const UPSTREAM: readonly DriftCauseName[] = [
  'missing_values',
  'constant',
  'unit_change',
  'renamed_category',
  'lost_category',
];
/** A share of the importance below which a column has little to say. */
const LITTLE_IMPORTANCE = 0.01;
const SURE_DEVIATIONS = 2;

/** What to do about an alarm, and why. */
export function adviseOnDrift(found: DriftCircumstances): { advice: DriftAdvice; because: string } {
  const loses = found.estimates.find(({ change, deviation }) => change < -SURE_DEVIATIONS * deviation);
  if (found.season === 'explains')
    return { advice: 'ignore', because: 'The same hours of earlier weeks look alike: it is the season.' };
  if (found.what === 'input' && UPSTREAM.includes(found.cause.cause))
    return { advice: 'fix_upstream', because: 'Such a change is made by whoever sends the data, not by the world.' };
  if (found.what === 'prediction' && found.isNewVersion && !found.hasInputAlarm)
    return {
      advice: 'roll_back',
      because: 'The inputs are as before and the answers are not, since another version gives them.',
    };
  if (found.what === 'prediction' && found.hasInputAlarm && !loses)
    return { advice: 'ignore', because: 'The answers follow the inputs, which have an alarm of their own.' };
  if (found.what === 'input' && found.importance !== undefined && found.importance < LITTLE_IMPORTANCE && !loses)
    return { advice: 'ignore', because: 'The model hardly looks at the column, and expects no loss by it.' };
  return {
    advice: 'retrain',
    because: loses
      ? `The model itself expects its ${loses.metric} of ${loses.head} to fall by ${Number((-loses.change).toPrecision(2))}.`
      : 'The world has moved away from the rows that the version learnt from.',
  };
}
