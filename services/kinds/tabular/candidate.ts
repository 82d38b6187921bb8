import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import type { BoostingCrew } from '../../../ml/ensemble/boosting-work.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { OnProgress } from '../recipe.js';
import type { HeadAlgorithm, HeadModel } from './head-model.js';

/** What one algorithm is fitted on: the training rows of one head. */
export interface CandidateInput {
  x: FeatureMatrix;
  /** Class number or value, without gaps. */
  y: Float64Array;
  /** The classes, or 0 for a regression. */
  classes: number;
  /** Matrix columns that hold codes of categories. */
  categorical: readonly number[];
  /** By matrix column -1, 0 or 1, where some may move the answer in one direction only. */
  monotone?: Int8Array;
  /** Which fold a row is in, for algorithms that have no rows of their own to be judged on. */
  folds: Int32Array | Uint8Array;
  /** True where a row may only be judged by models of the other folds, since its neighbours in time resemble it. */
  isInTime: boolean;
  hyperparameters: Hyperparameters;
  /** Where unfinished work is kept; undefined where starting anew costs little. */
  checkpoint?: Checkpoint;
  /** Threads that learners may share, where there are any. */
  crew?: BoostingCrew;
  onProgress: OnProgress;
}

/** Keeps unfinished work of one fit, by name. Synchronous, as the fits are. */
export interface Checkpoint {
  read(name: string): Uint8Array | undefined;
  write(name: string, bytes: () => Uint8Array, isFinished: boolean): void;
}

/** A fitted model, and what models that did not see a row say of it. */
export interface Candidate {
  algorithm: HeadAlgorithm;
  model: HeadModel;
  /** `[row * outputs + output]` of rows as their own model would not know them. */
  unseen: Float64Array;
  /** 1 where `unseen` has an answer. */
  covered: Uint8Array;
  /** The hyperparameters that were used, complete. */
  hyperparameters: Record<string, unknown>;
}

/** The values of some rows, in the given order. */
export const pick = (values: Float64Array, rows: Uint32Array): Float64Array =>
  Float64Array.from(rows, (row) => values[row]!);

/** Fits a model without each fold in turn, and lets it answer for the fold. */
export function predictUnseen(
  input: CandidateInput,
  fit: (rows: Uint32Array, fold: number, judged: Uint32Array) => Pick<HeadModel, 'predict'>,
): { unseen: Float64Array; covered: Uint8Array } {
  const { x, folds } = input;
  const outputs = Math.max(1, input.classes);
  const unseen = new Float64Array(x.rows * outputs);
  const count = Math.max(...new Set<number>(folds)) + 1;
  const all = Uint32Array.from({ length: x.rows }, (_, row) => row);
  for (let fold = 0; fold < count; fold++) {
    const judged = all.filter((row) => folds[row] === fold);
    if (judged.length === 0) continue;
    const model = fit(
      all.filter((row) => folds[row] !== fold),
      fold,
      judged,
    );
    const answers = model.predict(takeRows(x, judged));
    judged.forEach((row, at) => unseen.set(answers.subarray(at * outputs, (at + 1) * outputs), row * outputs));
  }
  return { unseen, covered: new Uint8Array(x.rows).fill(1) };
}
