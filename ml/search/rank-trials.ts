import { byFirstLoss, crowdingDistances, firstFront, paretoFronts } from './pareto-front.js';
import type { Trial } from './trial.js';

/** The trials of a history by what they are worth. */
export interface RankedTrials {
  /** Best first; ties by index. Those that failed are not in it. */
  readonly ranked: readonly Trial[];
  readonly running: readonly Trial[];
}

/**
 * Puts the ended trials in order: those that met the constraints by loss (of several objectives by front, then by the room around
 * them), then the pruned ones by how far they came and by their last report, then those that missed a constraint by how far.
 * A trial whose losses are not all finite, or that was pruned without a report, has failed and is left out.
 * @throws RangeError where trials have different numbers of objectives
 */
export function rankTrials(history: readonly Trial[]): RankedTrials {
  const byIndex = [...history].sort((a, b) => a.index - b.index);
  const measured = byIndex.filter((trial) => lossesOf(trial) !== undefined);
  const pruned = byIndex.filter(
    ({ outcome, reports }) => outcome.state === 'pruned' && Number.isFinite(reports.at(-1)?.loss),
  );
  const last = ({ reports }: Trial) => reports.at(-1)!;
  pruned.sort((a, b) => last(b).resource - last(a).resource || last(a).loss - last(b).loss);
  const missed = measured.filter((trial) => violationOf(trial) > 0);
  missed.sort((a, b) => violationOf(a) - violationOf(b));
  const met = byLoss(measured.filter((trial) => violationOf(trial) === 0));
  return {
    ranked: [...met, ...pruned, ...missed],
    running: byIndex.filter(({ outcome }) => outcome.state === 'running'),
  };
}

/**
 * The trials that a choice can be made among: of those that met the constraints all that no other dominates, by the first objective, then
 * the next ones; of one objective that is the first of the best. Empty where none met them: a failed or a pruned trial is never the best.
 */
export function bestTrials(history: readonly Trial[]): Trial[] {
  const met = metTrials(history);
  const losses = met.map((trial) => lossesOf(trial)!);
  if ((losses[0]?.length ?? 1) === 1)
    return byFirstLoss(losses)
      .slice(0, 1)
      .map((at) => met[at]!);
  return firstFront(losses).map((at) => met[at]!);
}

/** What came to its end and met the constraints, by index. */
function metTrials(history: readonly Trial[]): Trial[] {
  const met = history.filter((trial) => lossesOf(trial) !== undefined && violationOf(trial) === 0);
  met.sort((a, b) => a.index - b.index);
  checkObjectives(met);
  return met;
}

/** The losses of a trial that can be compared. */
function lossesOf(trial: Trial | undefined): readonly number[] | undefined {
  if (trial?.outcome.state !== 'completed') return undefined;
  const { losses, violation } = trial.outcome;
  return losses.length > 0 && losses.every(Number.isFinite) && violation >= 0 ? losses : undefined;
}

function violationOf({ outcome }: Trial): number {
  return outcome.state === 'completed' ? outcome.violation : 0;
}

function byLoss(trials: readonly Trial[]): Trial[] {
  checkObjectives(trials);
  const losses = trials.map((trial) => lossesOf(trial)!);
  const objectives = losses[0]?.length ?? 1;
  const order = trials.map((_, at) => at);
  const ties = (a: number, b: number) => trials[a]!.index - trials[b]!.index;
  if (objectives === 1) order.sort((a, b) => losses[a]![0]! - losses[b]![0]! || ties(a, b));
  else return paretoFronts(losses).flatMap((front) => byRoom(front, losses).map((at) => trials[at]!));
  return order.map((at) => trials[at]!);
}

function checkObjectives(trials: readonly Trial[]): void {
  const losses = trials.map((trial) => lossesOf(trial)!);
  const objectives = losses[0]?.length ?? 1;
  const wrong = losses.findIndex((list) => list.length !== objectives);
  if (wrong >= 0)
    throw new RangeError(
      `trial ${trials[wrong]!.index} has ${losses[wrong]!.length} losses, others have ${objectives}: give one an objective`,
    );
}

function byRoom(front: readonly number[], losses: readonly (readonly number[])[]): number[] {
  const room = crowdingDistances(front.map((at) => losses[at]!));
  const order = front.map((_, at) => at);
  // Two ends are both infinitely far: their difference is no number, and the order given decides.
  order.sort((a, b) => (room[a] === room[b] ? a - b : room[b]! - room[a]!));
  return order.map((at) => front[at]!);
}
