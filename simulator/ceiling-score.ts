/** The best that any model can reach on a head, when each row's true chances are known. */
export interface HeadCeiling {
  /** Rows that count, weighted by the chance that they have a label at all. */
  rows: number;
  /** Expected accuracy of always naming the likeliest class: mean of the largest chance. */
  accuracy: number;
  /** Expected logarithmic loss in nats: mean entropy. */
  logLoss: number;
  /** Expected accuracy of always naming the commonest class. */
  baseline: number;
}

/** Gathers rows of class chances into a ceiling. */
export class CeilingScore {
  #rows = 0;
  #best = 0;
  #entropy = 0;
  readonly #classes: number[];

  constructor(classes: number) {
    this.#classes = Array.from({ length: classes }, () => 0);
  }

  /** @param chances one a class, summing to `weight` @param weight chance that the row has a label, 0..1 */
  add(chances: readonly number[], weight = 1): void {
    this.#rows += weight;
    this.#best += Math.max(...chances);
    chances.forEach((chance, k) => {
      this.#classes[k] = (this.#classes[k] ?? 0) + chance;
      if (chance > 0) this.#entropy -= chance * Math.log(chance / weight);
    });
  }

  result(): HeadCeiling {
    const share = (sum: number): number => (this.#rows === 0 ? 0 : sum / this.#rows);
    return {
      rows: this.#rows,
      accuracy: share(this.#best),
      logLoss: share(this.#entropy),
      baseline: share(Math.max(...this.#classes)),
    };
  }
}

/** Expected area under the ROC curve when rows are ranked by their true chances (ties count half); 0.5 for no rows. */
export function expectedRocAuc(chances: readonly number[]): number {
  const sorted = [...chances].sort((a, b) => a - b);
  let negativesBelow = 0;
  let pairs = 0;
  let positives = 0;
  for (let i = 0; i < sorted.length;) {
    let last = i;
    let up = 0;
    let down = 0;
    for (; last < sorted.length && sorted[last] === sorted[i]; last += 1) {
      up += sorted[last] ?? 0;
      down += 1 - (sorted[last] ?? 0);
    }
    pairs += up * (negativesBelow + down / 2);
    negativesBelow += down;
    positives += up;
    i = last;
  }
  return positives === 0 || negativesBelow === 0 ? 0.5 : pairs / (positives * negativesBelow);
}
