import type { ModelKind } from '../names.js';
import { rounded, type ShapedPrediction } from './shaped-prediction.js';

/** One thing that a model of a table predicts. */
export interface Head {
  /** As it is called in `predictions` and `confidence_scores`. */
  name: string;
  /** The column of the training table that holds the truth. */
  column: string;
  task: 'binary' | 'multiclass' | 'regression';
  /** Classes in their order, where the kind fixes them; else they come from the data. */
  classes?: readonly string[];
  /** Of a binary head: the value that counts as true; every other one counts as false. */
  positive?: string;
  /** The field of a request, and the column of the training table, that lists what the entity did last, the latest last. */
  sequence?: string;
}

export const USER_BEHAVIOR_HEADS: readonly Head[] = [
  { name: 'churn_probability', column: 'churn_flag', task: 'binary', classes: ['false', 'true'] },
  { name: 'engagement_level', column: 'engagement_level', task: 'multiclass', classes: ['low', 'medium', 'high'] },
  { name: 'next_activity', column: 'next_activity', task: 'multiclass', sequence: 'recent_activities' },
];

/** What a fitted head says about one row. */
export type HeadOutput =
  | {
      head: string;
      task: 'binary' | 'multiclass';
      classes: readonly (string | number | boolean)[];
      probabilities: readonly number[];
      /** The class to answer with, where a stated cost asks for another than the likeliest. */
      decision?: number;
    }
  | { head: string; task: 'regression'; value: number; interval: { lower: number; upper: number; level: number } };

/**
 * The answer of a kind from its heads. The confidence of a class is its calibrated probability: of the class that is
 * the answer, so that 0.15 churn has confidence 0.85. The confidence of a number is the level of its interval.
 */
export function shapePrediction(kind: ModelKind, outputs: readonly HeadOutput[]): ShapedPrediction {
  const predictions: Record<string, unknown> = {};
  const confidence: Record<string, number> = {};
  for (const output of outputs) {
    if (output.task === 'regression') {
      const { lower, upper, level } = output.interval;
      predictions[output.head] = rounded(output.value);
      predictions['interval'] = { lower: rounded(lower), upper: rounded(upper), level };
      confidence[output.head] = level;
      continue;
    }
    const best = output.decision ?? indexOfLargest(output.probabilities);
    confidence[output.head] = rounded(
      output.task === 'binary' ? Math.max(...output.probabilities) : (output.probabilities[best] ?? 0),
    );
    if (output.task === 'binary') {
      predictions[output.head] = rounded(output.probabilities[1] ?? 0);
    } else {
      predictions[output.head] = output.classes[best];
    }
    if (kind === 'classification') {
      predictions['probabilities'] = Object.fromEntries(
        output.classes.map((name, index) => [String(name), rounded(output.probabilities[index] ?? 0)]),
      );
    }
  }
  return { predictions, confidence_scores: confidence };
}

export function indexOfLargest(values: readonly number[]): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if ((values[index] ?? 0) > (values[best] ?? 0)) best = index;
  return best;
}
