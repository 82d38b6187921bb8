import { clusteredRatio, type ClusteredRatio } from '../../ml/sequential/clustered-ratio.js';
import type { ArmSums, Harm, MeasureEvidence, PairedMeasure } from './rollout-evidence.js';
import type { RolloutRule } from './rollout-rule.js';

/** What both kinds of evidence, split traffic and paired requests, come down to before they are judged. */
export interface MeasureComparison {
  measure: string;
  kind: 'rate' | 'mean';
  harm: Harm;
  /** New minus present, signed so that above 0 is harm; of harm in either direction unsigned. NaN where nothing is known. */
  estimate: number;
  /** Infinity where nothing is known. */
  variance: number;
  /** The present version's value; NaN where nothing is known. */
  baseline: number;
  /** NaN where there is none: the measure has no baseline to take a share of. */
  margin: number;
  /** Requests of the arm that has fewer, or pairs. */
  requests: number;
  /** Of a measure with an ideal value: whether the new version is nearer to it. */
  isNearer?: boolean;
  /** About how many more requests an arm are missing before a normal approximation is trusted; 0 when it is. */
  missing: number;
  /** Entities that met an event, for the exact test: those of the arm where harm would put them stand first. */
  events?: { harmed: number; other: number };
  /** The new version's own events and trials, each entity weighing as much as if all of its requests were one. */
  rare?: { events: number; trials: number };
}

/** Two cohorts of different entities. */
export function compareCohorts(evidence: MeasureEvidence, rule: RolloutRule): MeasureComparison {
  const { measure, kind, harm, candidate, baseline } = evidence;
  const ours = armRatio(candidate, kind, `${measure} of the candidate`);
  const theirs = armRatio(baseline, kind, `${measure} of the baseline`);
  const sign = harm === 'falls' ? -1 : 1;
  const comparison: MeasureComparison = {
    measure,
    kind,
    harm,
    estimate: sign * (ours.ratio - theirs.ratio),
    variance: ours.variance + theirs.variance,
    baseline: theirs.ratio,
    // A share of what a few bots met is no measure of what is acceptable to all others.
    margin: marginOf(
      evidence.margin,
      kind,
      theirs.evenEntities < rule.leastEvenEntities ? 0 : theirs.ratio,
      measure,
      rule,
    ),
    requests: Math.min(candidate.requests, baseline.requests),
    missing: missingRequests(
      [
        { sums: candidate, ratio: ours },
        { sums: baseline, ratio: theirs },
      ],
      kind,
      rule,
    ),
  };
  noteIdeal(comparison, evidence.ideal, theirs.ratio, ours.ratio);
  if (kind === 'rate' && harm !== 'either') {
    const [harmed, other] = harm === 'rises' ? [candidate, baseline] : [baseline, candidate];
    comparison.events = { harmed: harmed.entitiesWithEvents, other: other.entitiesWithEvents };
  }
  if (kind === 'rate' && harm === 'rises' && candidate.requests > 0 && baseline.requests > 0)
    comparison.rare = { events: ours.ratio * ours.evenEntities, trials: ours.evenEntities };
  return comparison;
}

/** The same requests scored by both. */
export function comparePairs(evidence: PairedMeasure, rule: RolloutRule): MeasureComparison {
  const { measure, kind = 'mean', harm, difference, baselineMean } = evidence;
  const change = armRatio(difference, kind, measure);
  if (kind === 'rate' && Math.abs(difference.total) > difference.requests)
    throw new RangeError(`${measure}: a difference of rates is within ±1 a request, got more`);
  const comparison: MeasureComparison = {
    measure,
    kind,
    harm,
    estimate: (harm === 'falls' ? -1 : 1) * change.ratio,
    variance: change.variance,
    baseline: baselineMean,
    margin: marginOf(evidence.margin, kind, baselineMean, measure, rule),
    requests: difference.requests,
    missing: Math.max(
      rule.leastPairs - difference.requests,
      missingRequests([{ sums: difference, ratio: change }], 'mean', rule),
    ),
  };
  noteIdeal(comparison, evidence.ideal, baselineMean, baselineMean + change.ratio);
  return comparison;
}

/** A version that is surely different is worse only if it is farther from what a perfect one has. */
function noteIdeal(comparison: MeasureComparison, ideal: number | undefined, present: number, ours: number): void {
  if (ideal === undefined) return;
  if (comparison.harm !== 'either')
    throw new RangeError(
      `${comparison.measure}: only a measure that can be harmed in either direction has an ideal value`,
    );
  comparison.isNearer = Math.abs(ours - ideal) <= Math.abs(present - ideal);
}

function armRatio(sums: ArmSums, kind: 'rate' | 'mean', where: string): ClusteredRatio {
  let ratio: ClusteredRatio;
  try {
    ratio = clusteredRatio(sums);
  } catch (error) {
    throw new RangeError(`${where}: ${(error as Error).message}`);
  }
  if (!(sums.entitiesWithEvents >= 0 && sums.entitiesWithEvents <= sums.entities))
    throw new RangeError(`${where}: ${sums.entitiesWithEvents} of ${sums.entities} entities have an event`);
  // A rate without a single event has no variance between entities, but is not known for certain: at least one more entity may meet one.
  if (kind === 'rate') ratio.variance = Math.max(ratio.variance, 1 / ratio.evenEntities ** 2);
  return ratio;
}

/** The default: a share of the baseline's value, and for a rate, which may be next to nothing, never less than the least margin. */
function marginOf(
  given: number | undefined,
  kind: string,
  baseline: number,
  measure: string,
  rule: RolloutRule,
): number {
  if (given !== undefined) {
    if (!(given > 0 && given < Infinity))
      throw new RangeError(`${measure}: the margin is ${given} but must be above 0: say how much harm is acceptable`);
    return given;
  }
  if (!Number.isFinite(baseline)) return NaN;
  // 20 % of a success rate of 99 % would tolerate every fifth failure: what counts is the rarer side.
  if (kind === 'rate') return Math.max(rule.leastMargin, rule.marginShare * Math.min(baseline, 1 - baseline));
  const margin = rule.marginShare * Math.abs(baseline);
  return margin > 0 ? margin : NaN;
}

/** About how many requests an arm are missing before the variance between entities can be trusted. */
function missingRequests(
  arms: readonly { sums: ArmSums; ratio: ClusteredRatio }[],
  kind: 'rate' | 'mean',
  rule: RolloutRule,
): number {
  let times = 1;
  let requests = Infinity;
  for (const { sums, ratio } of arms) {
    times = Math.max(times, rule.leastEntities / sums.entities, rule.leastEvenEntities / ratio.evenEntities);
    requests = Math.min(requests, sums.requests);
  }
  const events = arms.reduce((sum, { sums }) => sum + sums.entitiesWithEvents, 0);
  if (kind === 'rate') times = Math.max(times, rule.leastEvents / Math.max(events, 0.5));
  if (requests === 0) return rule.leastEntities;
  return Math.ceil((times - 1) * requests);
}
