/** Picks; a share is a multiple of one in so many. */
const MOST_PICKS = 40;

export interface EnsembleInput {
  /** By model what it says of each row that it had not seen: the chance that it gave the truth, or its value. */
  readonly answers: readonly Float64Array[];
  /** Loss of a mean of answers on a row. */
  lossOf(mean: number, row: number): number;
  /** Whether models, by rising number, may answer together; all may unless given. */
  isAllowed?(members: readonly number[]): boolean;
}

/**
 * Chooses which models answer together, and how much each counts (R. Caruana et al., "Ensemble selection from libraries of models", ICML
 * 2004): the best alone, and then again and again the one whose answer lowers the loss of the mean most; a model that is picked more
 * often counts more. Taken is the mean after the pick with the least loss.
 * @returns a share a model, together 1; undefined where no model is allowed even alone
 */
export function chooseEnsemble({ answers, lossOf, isAllowed = () => true }: EnsembleInput): number[] | undefined {
  const rows = answers[0]?.length ?? 0;
  const sums = new Float64Array(rows);
  const counts = answers.map(() => 0);
  let best: { loss: number; shares: number[] } | undefined;
  const lossWith = (model: number, picks: number) => {
    let loss = 0;
    for (let row = 0; row < rows; row++) loss += lossOf((sums[row]! + answers[model]![row]!) / picks, row);
    return loss;
  };
  for (let picks = 1; picks <= MOST_PICKS; picks++) {
    const tried = answers.flatMap((_, model) => {
      const members = counts.flatMap((count, at) => (count > 0 || at === model ? [at] : []));
      return isAllowed(members) ? [{ model, loss: lossWith(model, picks) }] : [];
    });
    const [first, ...others] = tried;
    if (!first) return best?.shares;
    const { model, loss } = others.reduce((least, one) => (one.loss < least.loss ? one : least), first);
    counts[model]!++;
    answers[model]!.forEach((answer, row) => (sums[row]! += answer));
    if (!best || loss < best.loss) best = { loss, shares: counts.map((count) => count / picks) };
  }
  return best?.shares;
}
