/** A metric as the model's own probabilities let expect it, and how much it would vary by chance alone over as many rows. */
export interface ExpectedMetric {
  value: number;
  /** One standard deviation of the realised metric around it. */
  deviation: number;
  rows: number;
}

/**
 * What the accuracy of answers would be if their probabilities are right: confidence-based performance estimation (NannyML's CBPE). It sees a
 * change of the inputs, and is blind to a change of what they mean: it must stand beside realised figures.
 * @param chances of each answer to be right, calibrated
 */
export function expectedAccuracy(chances: Float64Array): ExpectedMetric | undefined {
  if (chances.length === 0) return undefined;
  let sum = 0;
  let variance = 0;
  for (const chance of chances) {
    sum += chance;
    variance += chance * (1 - chance);
  }
  return { value: sum / chances.length, deviation: Math.sqrt(variance) / chances.length, rows: chances.length };
}

/** The log loss that right probabilities have on average: their entropy, in nats. @param answers `[row * classes + class]`, rows summing to 1 */
export function expectedLogLoss(answers: Float64Array, classes: number): ExpectedMetric | undefined {
  const rows = answers.length / classes;
  if (rows === 0) return undefined;
  let sum = 0;
  let variance = 0;
  for (let row = 0; row < rows; row++) {
    let mean = 0;
    let square = 0;
    for (let k = 0; k < classes; k++) {
      const p = answers[row * classes + k]!;
      const loss = -Math.log(Math.max(1e-15, p));
      mean += p * loss;
      square += p * loss * loss;
    }
    sum += mean;
    variance += square - mean * mean;
  }
  return { value: sum / rows, deviation: Math.sqrt(variance) / rows, rows };
}

/**
 * The area under the ROC curve that right probabilities have on average: each row stands on both sides, as a positive with its probability and
 * as a negative with the rest, and is not compared with itself. The deviation is that of Hanley and McNeil (1982) at the expected counts.
 * @param probabilities of the positive class, calibrated
 * @param scores that rows are ordered by; the probabilities themselves unless given
 * @returns undefined where no pair can be expected
 */
export function expectedRocAuc(probabilities: Float64Array, scores = probabilities): ExpectedMetric | undefined {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  let below = 0;
  let won = 0;
  let itself = 0;
  let positives = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    let up = 0;
    let down = 0;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) {
      const p = probabilities[order[end++]!]!;
      up += p;
      down += 1 - p;
      itself += p * (1 - p);
    }
    won += up * (below + down / 2);
    below += down;
    positives += up;
    start = end;
  }
  const pairs = positives * below - itself;
  if (!(pairs > 0)) return undefined;
  const value = (won - itself / 2) / pairs;
  return { value, deviation: hanleyDeviation(value, positives, below), rows: order.length };
}

function hanleyDeviation(auc: number, positives: number, negatives: number): number {
  const both = auc / (2 - auc);
  const other = (2 * auc * auc) / (1 + auc);
  const variance =
    (auc * (1 - auc) + (positives - 1) * (both - auc * auc) + (negatives - 1) * (other - auc * auc)) /
    (positives * negatives);
  return Math.sqrt(Math.max(0, variance));
}
