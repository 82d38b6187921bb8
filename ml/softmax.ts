/**
 * Shares of `classes` logits that sum to 1, without overflow.
 * @param margins the logits, from `at` on
 * @param out receives the shares from `to` on; may be `margins` at the same place
 */
export function softmax(margins: Float64Array, at: number, out: Float64Array, to: number, classes: number): void {
  let most = -Infinity;
  for (let c = 0; c < classes; c++) if (margins[at + c]! > most) most = margins[at + c]!;
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    const part = Math.exp(margins[at + c]! - most);
    out[to + c] = part;
    sum += part;
  }
  for (let c = 0; c < classes; c++) out[to + c]! /= sum;
}
