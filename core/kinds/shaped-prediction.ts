/** The answer of a model, in the shape of its kind. */
export interface ShapedPrediction {
  predictions: Record<string, unknown>;
  /** By head: how sure the answer is, 0 to 1. */
  confidence_scores: Record<string, number>;
}

/** Six digits: what a caller can use of a number in an answer. */
export const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;
