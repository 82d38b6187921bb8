import { sortedOrder } from '../../../ml/evaluate/roc.js';
import type { RocPlot } from '../report-document.js';
import { thinPoints } from '../thin-points.js';

type RocPoint = RocPlot['curves'][number]['points'][number];

/**
 * The ROC curve by falling threshold, rows of equal score taken together, thinned out to 200 points.
 * @param scores higher = more likely positive
 * @param isPositive per row 1 or 0
 * @returns no points where the rows are all of one kind
 */
export function rocPoints(scores: Float64Array, isPositive: Uint8Array): RocPoint[] {
  const order = sortedOrder(scores).reverse();
  const positives = isPositive.reduce((sum, one) => sum + one, 0);
  const negatives = scores.length - positives;
  if (positives === 0 || negatives === 0) return [];
  const points: RocPoint[] = [{ threshold: null, false_positive_rate: 0, true_positive_rate: 0 }];
  let found = 0;
  for (const [index, row] of order.entries()) {
    found += isPositive[row]!;
    if (index + 1 < order.length && scores[order[index + 1]!] === scores[row]) continue;
    points.push({
      threshold: scores[row]!,
      false_positive_rate: (index + 1 - found) / negatives,
      true_positive_rate: found / positives,
    });
  }
  return thinPoints(
    points,
    (point) => point.false_positive_rate,
    (point) => point.true_positive_rate,
  );
}
