import { informationToTell, sequenceMultiplier } from '../../ml/sequential/confidence-sequence.js';
import { logEventSplitEvidence } from '../../ml/sequential/event-split-test.js';
import { logRareRateEvidence } from '../../ml/sequential/rare-rate-test.js';
import type { MeasureComparison } from './measure-comparison.js';
import type { GuardrailFinding } from './rollout-evidence.js';
import { guardrailReason } from './rollout-sentences.js';

/** How sure one guardrail must be, of its share of the rule's chances. */
export interface GuardrailLevels {
  harmAlpha: number;
  promoteAlpha: number;
  /** Harm that is acceptable at the next step, over the margin: 1 / the share of the entities that the new version answers there. */
  allowance: number;
  /** False where entities were not split as assigned, so that counts of entities cannot be compared. */
  isSplitSound: boolean;
}

/** Part of a rate's chance of a false alarm that the exact test has; the rest is the confidence sequence's. */
const EXACT_PART = 0.5;
/** Part of a rate's chance of a false promotion that the test for rare events has. */
const RARE_PART = 0.2;

/**
 * What one guardrail says. Harm is shown by the confidence sequence's lower bound above 0 or, from the first events on, by the exact test
 * that counts entities; safety by the upper bound below what is acceptable or, where events are rare, by the new version's own rate.
 * Harm that is shown and yet surely below the margin is acceptable, that is what a margin is: it counts as safe.
 *
 * Acceptable at the next step is the margin over that step's share: then all users together suffer no more there than the margin allows,
 * and before the last step, where the share is 1, the margin itself must hold. Harm that is shown is harm at every step.
 */
export function judgeGuardrail(comparison: MeasureComparison, levels: GuardrailLevels): GuardrailFinding {
  const boundsAt = boundsFor(comparison, levels);
  const bounds = boundsAt(comparison.variance);
  const how = findingOf(comparison, bounds, levels);
  const finding: GuardrailFinding = {
    measure: comparison.measure,
    finding: how.finding,
    estimate: known(comparison.estimate),
    lower: known(bounds.lower),
    upper: known(bounds.upper),
    margin: known(comparison.margin),
    ...(levels.allowance > 1 && comparison.margin > 0 && { allowed: comparison.margin * levels.allowance }),
    reason: '',
  };
  if (how.finding === 'undecided') {
    const needed = requestsNeeded(comparison, boundsAt, levels.allowance);
    if (needed !== undefined) finding.requestsNeeded = needed;
  }
  finding.reason = guardrailReason(comparison, finding, how.by);
  return finding;
}

export interface Bounds {
  /** Harm is at least this, but for the chance of a false alarm. */
  lower: number;
  /** Harm is at most this, but for the chance of a false promotion. */
  upper: number;
}

/** By which test a finding was made. */
export type FoundBy = 'sequence' | 'exact' | 'rare' | 'nearer' | 'nothing';

function findingOf(
  { harm, margin, missing, events, rare, isNearer }: MeasureComparison,
  { lower, upper }: Bounds,
  levels: GuardrailLevels,
): { finding: GuardrailFinding['finding']; by: FoundBy } {
  const isTrusted = missing <= 0;
  const isWithin = (size: number) => isTrusted && upper < size && (harm !== 'either' || lower > -size);
  // However little is at stake at the next step, some requests must have gone well.
  const isRare = (size: number, alpha: number) =>
    rare !== undefined &&
    size > 0 &&
    logRareRateEvidence(rare.events, rare.trials, Math.min(size, 0.5)) >= -Math.log(alpha);
  if (isWithin(margin)) return { finding: 'safe', by: 'sequence' };
  if (!isTrusted && isRare(margin, levels.promoteAlpha * RARE_PART)) return { finding: 'safe', by: 'rare' };
  if (isTrusted && (lower > 0 || (harm === 'either' && upper < 0)))
    return isNearer ? { finding: 'safe', by: 'nearer' } : { finding: 'harmful', by: 'sequence' };
  if (events && levels.isSplitSound) {
    const evidence = logEventSplitEvidence(events.harmed, events.other);
    if (evidence >= -Math.log(levels.harmAlpha * EXACT_PART)) return { finding: 'harmful', by: 'exact' };
  }
  if (levels.allowance > 1) {
    const allowed = margin * levels.allowance;
    if (isWithin(allowed)) return { finding: 'safe', by: 'sequence' };
    if (isRare(allowed, levels.promoteAlpha)) return { finding: 'safe', by: 'rare' };
  }
  return { finding: 'undecided', by: 'nothing' };
}

/** The bounds that the comparison's estimate has with any variance, the present one or one to come. */
function boundsFor(comparison: MeasureComparison, levels: GuardrailLevels): (variance: number) => Bounds {
  const { estimate, margin, harm, events, rare } = comparison;
  if (!Number.isFinite(estimate) || !(margin > 0)) return () => ({ lower: NaN, upper: NaN });
  const harmAlpha = events ? levels.harmAlpha * (1 - EXACT_PART) : levels.harmAlpha;
  // Where the next step is not the last, the tests of its safety are in nobody's way: only at the last step are two of them made.
  const promoteAlpha = rare && levels.allowance === 1 ? levels.promoteAlpha * (1 - RARE_PART) : levels.promoteAlpha;
  const sides = harm === 'either' ? 2 : 1;
  const below = widthFor(harmAlpha, sides, margin);
  const above = sides === 2 ? below : widthFor(promoteAlpha, sides, margin * levels.allowance);
  return (variance) => ({ lower: estimate - below(variance), upper: estimate + above(variance) });
}

/**
 * Half the width of a sequence that is tightest where `distance` is usually told from 0. A holdout that is judged once has it, too: the bound of
 * a single look calls 2 to 6 % instead of 1 % of equal versions worse where losses are skewed, this one hardly any (npm run bench:decisions).
 */
function widthFor(alpha: number, sides: 1 | 2, distance: number): (variance: number) => number {
  const tuned = informationToTell(distance, alpha, sides);
  return (variance) => {
    if (variance === 0 || variance === Infinity) return variance;
    return sequenceMultiplier(1 / (variance * tuned), alpha, sides) * Math.sqrt(variance);
  };
}

/** More requests an arm until the guardrail is settled either way, if the estimate stays and its variance falls with the requests. */
function requestsNeeded(
  { requests, missing, variance, margin, harm }: MeasureComparison,
  boundsAt: (variance: number) => Bounds,
  allowance: number,
): number | undefined {
  if (requests === 0 || !Number.isFinite(variance) || !(margin > 0)) return missing > 0 ? missing : undefined;
  const allowed = margin * allowance;
  const isSettledAt = (times: number) => {
    const { lower, upper } = boundsAt(variance / times);
    return lower > 0 || (harm === 'either' ? upper < 0 || (upper < allowed && lower > -allowed) : upper < allowed);
  };
  let above = 1;
  while (!isSettledAt(above)) {
    above *= 2;
    if (above > 1e9) return undefined;
  }
  let below = above / 2;
  // To 1 %: it is told as a round number.
  for (let i = 0; i < 6 && above > 1; i++) {
    const middle = (below + above) / 2;
    if (isSettledAt(middle)) above = middle;
    else below = middle;
  }
  return Math.max(1, missing, Math.ceil((above - 1) * requests));
}

function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
