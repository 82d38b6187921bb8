import { softmax } from '../softmax.js';
import type { LinearDesign } from './design.js';

/** What a linear model answers with: class probabilities or one number. */
export type LinearTask = { kind: 'classification'; classes: number } | { kind: 'regression' };

/**
 * A fitted linear or logistic model as plain numbers: it survives JSON without loss and is stored that way. A margin is
 * `intercepts[m] + Σ coefficients[m * width + j] × design column j`. Two classes have one margin (the log odds of the second),
 * more classes have one each (softmax), a single class and a regression have one.
 */
export interface LinearModel {
  version: 1;
  task: LinearTask;
  /** Numbers in one answer: the classes, or 1. */
  outputs: number;
  /** Columns of the matrix it was fitted on. */
  features: number;
  /** Rows of that matrix. */
  trainRows: number;
  design: LinearDesign;
  coefficients: number[];
  intercepts: number[];
  /** The penalty that was used: see `LinearParameters.strength`. */
  strength: number;
  /** Of a regression fitted on logarithms: value = max(0, factor × exp(margin) - offset). Null: value = margin. */
  logTarget: { offset: number; factor: number } | null;
}

/** The count of margins behind an answer. */
export function marginCount({ task }: LinearModel): number {
  return task.kind === 'classification' && task.classes > 2 ? task.classes : 1;
}

/**
 * Turns margins into the answer: probabilities, or the value.
 * @param margins `marginCount(model)` numbers
 * @param out receives `model.outputs` numbers; may be `margins` where both have one length
 */
export function answerFromMargins(model: LinearModel, margins: Float64Array, out: Float64Array): void {
  const { task, logTarget } = model;
  if (task.kind === 'regression') {
    const margin = margins[0]!;
    out[0] = logTarget ? Math.max(0, logTarget.factor * Math.exp(margin) - logTarget.offset) : margin;
  } else if (task.classes === 1) {
    out[0] = 1;
  } else if (task.classes === 2) {
    const odds = margins[0]!;
    // Both by the same formula, so that swapping the classes swaps the answers to the bit.
    out[0] = 1 / (1 + Math.exp(odds));
    out[1] = 1 / (1 + Math.exp(-odds));
  } else {
    softmax(margins, 0, out, 0, task.classes);
  }
}
