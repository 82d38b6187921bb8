import { levelOf, standardise } from './design.js';
import type { DesignFeature } from './design.js';
import { marginCount } from './linear-model.js';
import type { LinearModel } from './linear-model.js';

/** What each column of the matrix added to the margins of one answer. */
export interface LinearExplanation {
  /** The margins of the mean training row, one number a margin. */
  base: Float64Array;
  /** `contributions[margin * features + column]`; with `base` they sum to the margin (within rounding). */
  contributions: Float64Array;
}

/**
 * Exact Shapley values of one row on the scale of the margins (log odds, logits, value or its logarithm), columns taken as
 * independent: coefficient × (design value - its training mean), summed over the design columns of a matrix column
 * (Štrumbelj and Kononenko 2014).
 * @param row `features` numbers, NaN = missing
 */
export function explainLinearRow(model: LinearModel, row: Float64Array): LinearExplanation {
  const { design, coefficients, intercepts, features } = model;
  const count = marginCount(model);
  const base = Float64Array.from(intercepts);
  const contributions = new Float64Array(count * features);
  for (let m = 0; m < count; m++) {
    const at = m * design.width;
    design.features.forEach((feature, column) => {
      let typical = 0;
      for (let j = feature.start; j < feature.start + feature.width; j++)
        typical += coefficients[at + j]! * design.means[j]!;
      base[m]! += typical;
      contributions[m * features + column] = effectOf(feature, row[column]!, coefficients, at) - typical;
    });
  }
  return { base, contributions };
}

function effectOf(feature: DesignFeature, value: number, coefficients: readonly number[], at: number): number {
  if (feature.kind === 'category') {
    const level = levelOf(feature, value);
    return level < 0 ? 0 : coefficients[at + feature.start + level]!;
  }
  if (value === value) return coefficients[at + feature.start]! * standardise(feature, value);
  return feature.width === 2 ? coefficients[at + feature.start + 1]! : 0;
}
