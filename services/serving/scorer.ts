import type { FieldProblem, ServiceError } from '../../core/errors.js';
import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { ScoreInput } from '../../core/schemas/prediction.js';
import type { BatchColumn, BatchProblem } from '../../ml/preprocess/encode-batch.js';
import type { ModelBundle } from '../artifacts/model-bundle.js';

export interface HeadExplanation {
  /** The answer without any feature. With the contributions it adds up to `output`. */
  base_value: number;
  output: number;
  contributions: { feature: string; value: string | number | boolean | null; contribution: number }[];
}

/** One answer of many rows. */
export type AnswerColumn =
  | { name: string; kind: 'number'; values: Float64Array }
  /** `classes[codes[row]]` */
  | { name: string; kind: 'category'; codes: Int32Array; classes: readonly (string | number | boolean)[] };

/** Answers of many rows at once; each row's is the same to the bit as `predict` gives alone. */
export interface BatchScorer {
  /** Columns of the training table that carried nothing: a caller may send them all the same. */
  readonly unusedFeatures: readonly string[];
  /** Whether the names of the columns of an answer tell which part of it each is: a head with a dot in its name takes that away. */
  readonly areNamesPlain: boolean;
  /** One entry a row: its answer, or why it has none. */
  predictRows(inputs: readonly ScoreInput[]): (ShapedPrediction | ServiceError)[];
  /** Rows [start, end) of columns. Where there are problems the answers of their rows take the value as missing. */
  predictColumns(
    columns: readonly BatchColumn[],
    start: number,
    end: number,
  ): { answers: AnswerColumn[]; problems: BatchProblem[] };
}

/** A loaded model, ready to answer; what a kind's `create…Scorer(bundle)` gives. */
export interface Scorer {
  readonly bundle: ModelBundle;
  /** How far an answer may be from its golden row, where the runtime does not promise the last bits on every machine. */
  readonly tolerance?: number;
  /** True where the answer depends on the entity itself and not only on the features and options of the request. */
  readonly isByEntity: boolean;
  /** @throws ServiceError `request_invalid` with a path for each value that does not fit. */
  predict(input: ScoreInput): ShapedPrediction;
  /** The numbers behind an answer, unrounded, by head: what golden cases are compared by. */
  outputs(input: ScoreInput): Record<string, readonly number[]>;
  /** Why the answer is what it is, by head; undefined where the kind has no such explanation. */
  explain(input: ScoreInput): Record<string, HeadExplanation> | undefined;
  /** What the caller should know about the request: values that count as not known, or nothing to go by at all. */
  warnings(input: ScoreInput): FieldProblem[];
  /** Where the kind answers from a table: many rows at once. */
  readonly batch?: BatchScorer;
}
