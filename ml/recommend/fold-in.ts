import { invertSymmetric } from './cholesky.js';
import { gramOf } from './implicit-als.js';
import type { ItemFactors } from './implicit-als.js';

/** The taste of a history under a factorisation: what is needed to score items and to explain a score. */
export interface FoldedTaste {
  /** The vector x of the history: the score of an item of vector y is `x · y`. */
  taste: Float64Array;
  /** `(YᵀY + λI + Σ αw y yᵀ)⁻¹`: item h of the history contributes `(1 + αw) y_hᵀ W y` to that score (Hu et al. 2008, 5). */
  inverse: Float64Array;
}

/** Finds the vectors of histories exactly, whether or not their users were trained on. */
export class TasteFolder {
  private readonly gram: Float64Array;

  constructor(private readonly model: ItemFactors) {
    this.gram = gramOf(model.values, model.factors);
    for (let k = 0; k < model.factors; k++) this.gram[k * model.factors + k]! += model.regularization;
  }

  /**
   * @param item indices of the history's items
   * @param weight one number above 0 an item
   */
  fold(item: ArrayLike<number>, weight: ArrayLike<number>): FoldedTaste {
    const { values, factors: f, alpha } = this.model;
    const inverse = this.gram.slice();
    const wanted = new Float64Array(f);
    for (let h = 0; h < item.length; h++) {
      const from = item[h]! * f;
      const confidence = alpha * weight[h]!;
      for (let k = 0; k < f; k++) {
        const value = values[from + k]!;
        wanted[k]! += (1 + confidence) * value;
        for (let l = 0; l <= k; l++) inverse[k * f + l]! += confidence * value * values[from + l]!;
      }
    }
    invertSymmetric(inverse, f);
    const taste = new Float64Array(f);
    for (let k = 0; k < f; k++) for (let l = 0; l < f; l++) taste[k]! += inverse[k * f + l]! * wanted[l]!;
    return { taste, inverse };
  }

  /** What the item `from` of the history, of that weight, contributes to the score of the item `to`. */
  contribution({ inverse }: FoldedTaste, from: number, weight: number, to: number): number {
    const { values, factors: f, alpha } = this.model;
    let sum = 0;
    for (let k = 0; k < f; k++) {
      let row = 0;
      for (let l = 0; l < f; l++) row += inverse[k * f + l]! * values[to * f + l]!;
      sum += values[from * f + k]! * row;
    }
    return (1 + alpha * weight) * sum;
  }
}
