import { logSplitEvidence } from '../../ml/sequential/split-test.js';
import { logEventSplitEvidence } from '../../ml/sequential/event-split-test.js';
import { judgeGuardrail, type GuardrailLevels } from './judge-guardrail.js';
import { compareCohorts, comparePairs } from './measure-comparison.js';
import type { AssignmentEvidence, GuardrailFinding, RolloutEvidence, RolloutVerdict } from './rollout-evidence.js';
import { checkRolloutRule, type RolloutRule } from './rollout-rule.js';
import { duration, whole } from './rollout-sentences.js';

/**
 * The verdict on a step of a rollout: a pure function of its evidence, so that replaying stored evidence gives the same one.
 *
 * - `ROLLBACK`: a guardrail shows harm that chance explains less often than the rule's `harmAlpha`, over all guardrails and looks.
 * - `PROMOTE`: every guardrail is surely within what is acceptable at the next step, and this one has had its windows. No evidence is never
 *   success.
 * - `HOLD`: not enough evidence yet; `needed` says about how much is missing.
 * - `ASK`: evidence will not settle it: a measure without a good direction moved, the split is broken, or the step took its most windows.
 * @throws RangeError for evidence that no traffic can have given, or a rule out of range
 */
export function judgeRollout(evidence: RolloutEvidence, rule: RolloutRule): RolloutVerdict {
  checkRolloutRule(rule);
  if (!(evidence.windows >= 0 && evidence.seconds >= 0))
    throw new RangeError(`windows (${evidence.windows}) and seconds (${evidence.seconds}) must not be below 0`);
  const split = evidence.strategy === 'canary' ? brokenSplit(evidence.assignment, rule) : undefined;
  const levels: GuardrailLevels = {
    harmAlpha: rule.harmAlpha / Math.max(1, evidence.measures.length),
    promoteAlpha: rule.promoteAlpha,
    allowance: allowanceOf(evidence),
    isSplitSound: split === undefined,
  };
  const findings =
    evidence.strategy === 'canary'
      ? evidence.measures.map((measure) => judgeGuardrail(compareCohorts(measure, rule), levels))
      : evidence.measures.map((measure) => judgeGuardrail(comparePairs(measure, rule), levels));
  return { ...decide(evidence, rule, findings, split), findings };
}

function allowanceOf(evidence: RolloutEvidence): number {
  const { nextShare = 100 } = evidence;
  if (!(nextShare > 0 && nextShare <= 100))
    throw new RangeError(`the next share is ${nextShare} % but must be above 0 and at most 100`);
  return evidence.strategy === 'canary' && evidence.isLastStep ? 1 : 100 / nextShare;
}

type Decision = Omit<RolloutVerdict, 'findings'>;

function decide(
  evidence: RolloutEvidence,
  rule: RolloutRule,
  findings: readonly GuardrailFinding[],
  split: string | undefined,
): Decision {
  // A move without a good direction may be meant; one away from the ideal is not.
  const moved = findings.filter(({ finding }, index) => {
    const { harm, ideal } = evidence.measures[index]!;
    return finding === 'harmful' && harm === 'either' && ideal === undefined;
  });
  const harmful = findings.filter((finding) => finding.finding === 'harmful' && !moved.includes(finding));
  if (harmful.length > 0) return { verdict: 'ROLLBACK', reason: harmful[0]!.reason + alsoHarmful(harmful.length - 1) };
  const isLate = evidence.windows >= rule.mostWindows;
  if (split !== undefined)
    // A split that heals dilutes in the cumulated counts within a few windows; one that stays is for a person.
    return evidence.windows > rule.windowsPerStep
      ? { verdict: 'ASK', reason: split }
      : { verdict: 'HOLD', reason: split };
  if (moved.length > 0)
    return { verdict: 'ASK', reason: `${moved[0]!.reason} A person must say whether that is meant.` };
  // Without a single guardrail that must be settled there would be no evidence at all.
  const required = findings.filter((_, index) => !evidence.measures[index]!.isOptional);
  const open = required.filter(({ finding }) => finding === 'undecided');
  if (required.length > 0 && open.length === 0) return allSafe(evidence, rule, required);
  const reason =
    required.length === 0
      ? 'Nothing is measured, so there is no evidence that the new version is safe.'
      : open[0]!.reason;
  if (evidence.strategy === 'holdout') return { verdict: 'ASK', reason: `${reason} A holdout does not grow.` };
  if (isLate) return { verdict: 'ASK', reason: `${reason} The step has had ${evidence.windows} windows, its most.` };
  return hold(evidence, open, reason);
}

function alsoHarmful(others: number): string {
  if (others === 0) return '';
  return others === 1 ? ' One more guardrail shows harm.' : ` ${others} more guardrails show harm.`;
}

function allSafe(evidence: RolloutEvidence, rule: RolloutRule, findings: readonly GuardrailFinding[]): Decision {
  const count = findings.length === 1 ? 'The one guardrail is' : `All ${findings.length} guardrails are`;
  const missing = evidence.strategy === 'canary' ? rule.windowsPerStep - evidence.windows : 0;
  if (missing > 0)
    return {
      verdict: 'HOLD',
      reason: `${count} within the margin, but the step needs ${missing} more of its ${rule.windowsPerStep} windows.`,
      needed: { requests: 0, seconds: null },
    };
  const required = evidence.measures.filter(({ isOptional }) => !isOptional);
  // Every request counts, also one that a measure leaves out, as that of slow answers does with those of the cache.
  const requests = Math.max(...required.map(requestsOf));
  if (evidence.strategy === 'canary' && requests < rule.leastRequests)
    return {
      verdict: 'HOLD',
      reason: `${count} within the margin, but only ${whole(requests)} of the ${whole(rule.leastRequests)} requests an arm that the rollout asks for have come.`,
      needed: { requests: rule.leastRequests - requests, seconds: null },
    };
  return { verdict: 'PROMOTE', reason: `${count} within the margin: ${findings[0]!.reason}` };
}

function hold(evidence: RolloutEvidence, open: readonly GuardrailFinding[], reason: string): Decision {
  const known = open.flatMap(({ requestsNeeded }) => (requestsNeeded === undefined ? [] : [requestsNeeded]));
  if (known.length === 0) return { verdict: 'HOLD', reason };
  const requests = Math.max(...known);
  const seen = Math.min(...evidence.measures.filter(({ isOptional }) => !isOptional).map(requestsOf));
  const seconds = seen > 0 && evidence.seconds > 0 ? (requests / seen) * evidence.seconds : null;
  const time = seconds === null ? '' : `, about ${duration(seconds)} at the present rate`;
  return {
    verdict: 'HOLD',
    reason: `${reason} Missing in all: ${whole(requests)} requests an arm${time}.`,
    needed: { requests, seconds },
  };
}

function requestsOf(measure: RolloutEvidence['measures'][number]): number {
  return 'difference' in measure
    ? measure.difference.requests
    : Math.min(measure.candidate.requests, measure.baseline.requests);
}

/** Says what is wrong with the assignment of entities to the cohorts, if anything is. */
function brokenSplit(assignment: AssignmentEvidence, rule: RolloutRule): string | undefined {
  const { candidate, baseline, both } = assignment;
  const alarm = Math.log(rule.splitAlarm);
  if (logSplitEvidence([candidate, baseline], [0.5, 0.5], rule.splitPriorWeight) >= alarm)
    return `The cohorts should be of equal size but have ${whole(candidate)} and ${whole(baseline)} entities: the comparison cannot be trusted.`;
  if (logEventSplitEvidence(both, candidate + baseline, rule.mostCrossedShare) >= alarm)
    return `${whole(both)} of ${whole(candidate + baseline + both)} entities were answered by both versions: the comparison cannot be trusted.`;
  return undefined;
}
