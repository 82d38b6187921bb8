/** Rows whose stated probability lies in one stretch. */
export interface ReliabilityBin {
  lower: number;
  upper: number;
  rows: number;
  /** Mean probability that was stated; null for an empty bin. */
  confidence: number | null;
  /** Share that came true; null for an empty bin. */
  frequency: number | null;
}

/**
 * Compares stated probabilities with what came true, in equally wide bins; the first is [0, 1/bins), the last is closed.
 * @param probabilities of one event, each in [0, 1]
 * @param outcomes 1 where it came true, else 0
 */
export function reliabilityBins(probabilities: Float64Array, outcomes: ArrayLike<number>, bins = 10): ReliabilityBin[] {
  const rows = new Float64Array(bins);
  const stated = new Float64Array(bins);
  const cameTrue = new Float64Array(bins);
  for (let row = 0; row < probabilities.length; row++) {
    const bin = reliabilityBin(probabilities[row]!, bins);
    rows[bin]!++;
    stated[bin]! += probabilities[row]!;
    cameTrue[bin]! += outcomes[row]!;
  }
  return Array.from(rows, (count, bin) => ({
    lower: bin / bins,
    upper: (bin + 1) / bins,
    rows: count,
    confidence: count > 0 ? stated[bin]! / count : null,
    frequency: count > 0 ? cameTrue[bin]! / count : null,
  }));
}

/** The number of the bin a probability belongs to. */
export function reliabilityBin(probability: number, bins: number): number {
  return Math.min(bins - 1, Math.floor(probability * bins));
}

/** The expected calibration error: the mean gap between stated and true, weighted by rows (Naeini et al. 2015). */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  let rows = 0;
  let gap = 0;
  for (const bin of bins) {
    if (bin.confidence === null || bin.frequency === null) continue;
    rows += bin.rows;
    gap += bin.rows * Math.abs(bin.confidence - bin.frequency);
  }
  return rows > 0 ? gap / rows : NaN;
}
