import type { FoundBy } from './judge-guardrail.js';
import type { MeasureComparison } from './measure-comparison.js';
import type { GuardrailFinding } from './rollout-evidence.js';

/** One sentence with the numbers behind a guardrail's finding. */
export function guardrailReason(comparison: MeasureComparison, found: GuardrailFinding, by: FoundBy): string {
  const { measure, kind, harm, requests, margin, missing, events } = comparison;
  const size = (value: number) => amount(value, kind);
  const limit = found.allowed ?? margin;
  const what = found.allowed === undefined ? 'the margin' : 'the margin over the share of the next step';
  if (requests === 0) return `${measure} has nothing to compare yet: one of the two versions has no requests in it.`;
  if (by === 'exact')
    return `${measure} is worse: ${events!.harmed} entities ${harm === 'rises' ? 'met an event with the new version and' : 'met an event with the present version but'} ${events!.other} with the other, in cohorts of equal size.`;
  if (by === 'rare')
    return `${measure} is safe: ${percent(comparison.rare!.events / comparison.rare!.trials)} with the new version, too few events to be ${size(limit)}, ${what}.`;
  const change = `${size(found.estimate!)} ${harm === 'either' ? 'of change' : 'of harm'} over ${whole(requests)} requests an arm`;
  if (missing > 0)
    return `${measure} has too few entities or events to judge: ${change}, about ${whole(missing)} requests an arm are missing.`;
  if (found.margin === null)
    return `${measure} has no margin: the present version's value is 0, so say how much harm is acceptable.`;
  if (found.lower === null) return `${measure} cannot be judged: its variance between entities is not known.`;
  const span = `between ${size(found.lower)} and ${size(found.upper!)}`;
  if (by === 'nearer') return `${measure} is safe: ${change}, ${span}, towards what a perfect version has.`;
  if (found.finding === 'safe') return `${measure} is safe: ${change}, ${span}, within ${size(limit)}, ${what}.`;
  if (found.finding === 'harmful')
    return `${measure} ${harm === 'either' ? `moved${comparison.isNearer === false ? ' away from what a perfect version has' : ''}` : 'is worse'}: ${change}, ${span}; 0 is ruled out.`;
  const more = found.requestsNeeded === undefined ? 'more' : `about ${whole(found.requestsNeeded)} more`;
  return `${measure} is undecided: ${change}, ${span}, and ${size(limit)} is ${what}; it takes ${more} requests an arm.`;
}

/** A number of the measure: a rate in percentage points. */
export function amount(value: number, kind: 'rate' | 'mean'): string {
  return kind === 'rate' ? `${(value * 100).toFixed(2)} pp` : String(Number(value.toPrecision(4)));
}

export function percent(value: number): string {
  return `${(value * 100).toFixed(2)} %`;
}

export function whole(value: number): string {
  return String(Math.ceil(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Such as `about 3 hours`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} seconds`;
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} minutes`;
  if (seconds < 172800) return `${Math.ceil(seconds / 3600)} hours`;
  return `${Math.ceil(seconds / 86400)} days`;
}
