import type { ModelKind } from '../names.js';

/** One thing that a model predicts. */
export interface Head {
  /** As it is called in `predictions` and `confidence_scores`. */
  name: string;
  /** The column of the training table that holds the truth. */
  column: string;
  task: 'binary' | 'multiclass' | 'regression';
  /** Classes in their order, where the kind fixes them; else they come from the data. */
  classes?: readonly string[];
}

/** Kinds that can be trained in this release. */
export const TRAINABLE_KINDS: readonly ModelKind[] = ['user_behavior', 'classification', 'regression'];

export const USER_BEHAVIOR_HEADS: readonly Head[] = [
  { name: 'churn_probability', column: 'churn_flag', task: 'binary', classes: ['false', 'true'] },
  { name: 'engagement_level', column: 'engagement_level', task: 'multiclass', classes: ['low', 'medium', 'high'] },
  { name: 'next_activity', column: 'next_activity', task: 'multiclass' },
];

/** The heads of a model: fixed by the kind, or the one target of anyone's own table. */
export function headsOf(kind: ModelKind, target: string | undefined): readonly Head[] {
  switch (kind) {
    case 'user_behavior':
      return USER_BEHAVIOR_HEADS;
    case 'classification':
      return [{ name: 'label', column: target ?? 'target', task: 'multiclass' }];
    case 'regression':
      return [{ name: 'value', column: target ?? 'target', task: 'regression' }];
    default:
      throw new Error(`Models of the kind ${kind} cannot be trained in this release.`);
  }
}

/** What a fitted head says about one row. */
export type HeadOutput =
  | {
      head: string;
      task: 'binary' | 'multiclass';
      classes: readonly (string | number | boolean)[];
      probabilities: readonly number[];
    }
  | { head: string; task: 'regression'; value: number; interval: { lower: number; upper: number; level: number } };

export interface ShapedPrediction {
  predictions: Record<string, unknown>;
  confidence_scores: Record<string, number>;
}

const rounded = (value: number) => Math.round(value * 1e6) / 1e6;

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
    const best = indexOfLargest(output.probabilities);
    const top = output.probabilities[best] ?? 0;
    confidence[output.head] = rounded(top);
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
