import { clusteredRatio } from '../../ml/sequential/clustered-ratio.js';
import { informationToTell, sequenceMultiplier } from '../../ml/sequential/confidence-sequence.js';
import { adjustedDifference } from '../../ml/sequential/covariate-adjustment.js';
import { logEventSplitEvidence } from '../../ml/sequential/event-split-test.js';
import {
  inversePropensityDifference,
  inversePropensityRatio,
  type PropensityCell,
  type PropensityDifference,
} from '../../ml/sequential/inverse-propensity.js';
import { logSplitEvidence } from '../../ml/sequential/split-test.js';
import type {
  ArmFinding,
  ArmStratum,
  ExperimentArm,
  ExperimentDecision,
  ExperimentEvidence,
  ExperimentRule,
  ExperimentVerdict,
} from './experiment-evidence.js';
import { amount, whole } from './rollout-sentences.js';

/**
 * The verdict on an experiment with any number of arms against one control: a pure function of its evidence. Every arm has a confidence
 * sequence of its share of the rule's `alpha`, so that all of them hold together, however often one looks.
 *
 * - `winner`: surely better than the control, by an amount that may be worth having;
 * - `harmful`: surely worse; `futile`: surely not better by the minimum effect. Both can be stopped at once;
 * - `running`: none of these yet; `inconclusive`: none of these at the end, or the split of entities is broken.
 *
 * Where the allocation is adaptive (`strata`), arms are compared by inverse-propensity estimates, and the split is held to the chances of
 * each stratum. An arm that was taken back keeps its finding.
 * @throws RangeError for evidence that no traffic can have given, or a rule out of range
 */
export function judgeExperiment(evidence: ExperimentEvidence, rule: ExperimentRule): ExperimentVerdict {
  check(evidence, rule);
  const split = brokenSplit(evidence, rule);
  const arms = evidence.arms.map((arm) => arm.settled ?? judgeArm(arm, evidence, rule));
  if (split !== undefined) return { decision: 'inconclusive', reason: split, arms };
  return { ...decide(evidence, arms), arms };
}

function judgeArm(arm: ExperimentArm, evidence: ExperimentEvidence, rule: ExperimentRule): ArmFinding {
  const { metric, control, minimumEffect, better, kind } = evidence;
  const sign = better === 'falls' ? -1 : 1;
  const size = (value: number) => amount(value, kind === 'binary' ? 'rate' : 'mean');
  const finding: ArmFinding = {
    arm: arm.arm,
    decision: evidence.days >= rule.mostDays ? 'inconclusive' : 'running',
    estimate: null,
    lower: null,
    upper: null,
    varianceRemoved: 0,
    reason: '',
  };
  const { difference, variance, varianceRemoved } = compareArms(arm, evidence);
  if (Number.isFinite(difference)) finding.estimate = sign * difference;
  if (!isTrusted(arm, control, evidence, rule) || !Number.isFinite(variance) || variance === 0)
    return { ...finding, reason: `${arm.arm} has too few entities or events in ${metric} to be judged.` };
  const alpha = rule.alpha / evidence.arms.length;
  const clock = 1 / (variance * informationToTell(minimumEffect, alpha, 2));
  const half = sequenceMultiplier(clock, alpha, 2) * Math.sqrt(variance);
  const [estimate, lower, upper] = [sign * difference, sign * difference - half, sign * difference + half];
  const decision = armDecision(lower, upper, evidence, rule);
  const change = `${size(estimate)} ${estimate < 0 ? 'of loss' : 'of gain'} in ${metric}, between ${size(lower)} and ${size(upper)}`;
  const sentences: Record<ExperimentDecision, string> = {
    winner: `${arm.arm} is better than ${control.arm}: ${change}.`,
    harmful: `${arm.arm} is worse than ${control.arm}: ${change}.`,
    futile: `${arm.arm} is not better by ${size(minimumEffect)}, the least worth having: ${change}.`,
    running: `${arm.arm} is not told from ${control.arm} yet: ${change}.`,
    inconclusive: `${arm.arm} was not told from ${control.arm} in ${evidence.days} days: ${change}.`,
  };
  return { ...finding, decision, estimate, lower, upper, varianceRemoved, reason: sentences[decision] };
}

function armDecision(
  lower: number,
  upper: number,
  evidence: ExperimentEvidence,
  rule: ExperimentRule,
): ExperimentDecision {
  if (upper < 0) return 'harmful';
  if (upper < evidence.minimumEffect) return 'futile';
  if (lower > 0 && evidence.days >= rule.leastDays) return 'winner';
  return evidence.days >= rule.mostDays ? 'inconclusive' : 'running';
}

function decide(evidence: ExperimentEvidence, arms: readonly ArmFinding[]): Omit<ExperimentVerdict, 'arms'> {
  const of = (decision: ExperimentDecision) => arms.filter((arm) => arm.decision === decision);
  const running = of('running');
  if (running.length > 0) return { decision: 'running', reason: running[0]!.reason };
  const [best] = of('winner').sort((a, b) => b.estimate! - a.estimate!);
  if (best) return { decision: 'winner', winner: best.arm, reason: best.reason };
  const [open] = of('inconclusive');
  if (open) return { decision: 'inconclusive', reason: open.reason };
  const harmful = of('harmful');
  if (harmful.length === arms.length) return { decision: 'harmful', reason: harmful[0]!.reason };
  return {
    decision: 'futile',
    reason: `No arm is better than ${evidence.control.arm} by the least worth having: ${of('futile')[0]!.reason}`,
  };
}

/** Those that take part: the control first. */
const liveArms = ({ control, arms }: ExperimentEvidence) => [control, ...arms.filter(({ settled }) => !settled)];

function compareArms(arm: ExperimentArm, evidence: ExperimentEvidence): PropensityDifference {
  const { control } = evidence;
  if (!control.strata) return adjustedDifference(withBefore(arm), withBefore(control));
  const live = liveArms(evidence);
  const strata = control.strata.map((_, at) => live.map(({ strata: own }) => cellOf(own![at]!)));
  return inversePropensityDifference(strata, live.indexOf(arm), 0);
}

function withBefore({ sums, before }: ExperimentArm) {
  return before ? { ...sums, before } : sums;
}

function cellOf({ sums, propensity, assigned, before }: ArmStratum): PropensityCell {
  return { ...sums, propensity, assigned, ...(before ? { before } : {}) };
}

const evenEntitiesOf = ({ sums, strata }: ExperimentArm) =>
  (strata ? inversePropensityRatio(strata.map(cellOf)) : clusteredRatio(sums)).evenEntities;

function isTrusted(
  arm: ExperimentArm,
  control: ExperimentArm,
  { kind }: ExperimentEvidence,
  rule: ExperimentRule,
): boolean {
  const isCrowd = [arm, control].every(
    (one) => one.sums.entities >= rule.leastEntities && evenEntitiesOf(one) >= rule.leastEvenEntities,
  );
  return isCrowd && (kind !== 'binary' || arm.sums.total + control.sums.total >= rule.leastEvents);
}

function brokenSplit(evidence: ExperimentEvidence, rule: ExperimentRule): string | undefined {
  const { control, crossed } = evidence;
  // The entities of an arm that was taken back have come to the control, and are counted no more.
  const live = liveArms(evidence);
  const alarm = Math.log(rule.splitAlarm);
  const counts = live.map(({ assigned }) => assigned);
  const entities = counts.reduce((sum, count) => sum + count, 0);
  const splits = control.strata
    ? control.strata.map((_, at) => live.map(({ strata }) => strata![at]!))
    : [live.map(({ assigned, weight: propensity }) => ({ assigned, propensity }))];
  // Evidence of different entities multiplies.
  const evidenceOfSplit = splits.reduce((sum, cells) => sum + logSplit(cells, rule), 0);
  if (live.length > 1 && evidenceOfSplit >= alarm)
    return `The arms have ${counts.map(whole).join(', ')} entities, which their ${control.strata ? 'chances' : `weights of ${live.map(({ weight }) => weight).join(', ')}`} do not explain: the comparison cannot be trusted.`;
  if (logEventSplitEvidence(crossed, entities, rule.mostCrossedShare) >= alarm)
    return `${whole(crossed)} of ${whole(entities + crossed)} entities were answered by more than one arm: the comparison cannot be trusted.`;
  return undefined;
}

function logSplit(cells: readonly { assigned: number; propensity: number }[], rule: ExperimentRule): number {
  if (cells.length < 2) return 0;
  const all = cells.reduce((sum, { propensity }) => sum + propensity, 0);
  return logSplitEvidence(
    cells.map(({ assigned }) => assigned),
    cells.map(({ propensity }) => propensity / all),
    rule.splitPriorWeight,
  );
}

function check(evidence: ExperimentEvidence, rule: ExperimentRule): void {
  const { metric, kind, minimumEffect, control, arms, days } = evidence;
  if (arms.length === 0) throw new RangeError(`the experiment on ${metric} has no arm beside the control: give one`);
  if (!(minimumEffect > 0 && minimumEffect < Infinity))
    throw new RangeError(`the minimum effect on ${metric} is ${minimumEffect} but must be above 0`);
  if (!(days >= 0)) throw new RangeError(`the experiment has run for ${days} days, which must not be below 0`);
  if (!(rule.alpha > 0 && rule.alpha < 0.5))
    throw new RangeError(`the rule's alpha is ${rule.alpha} but must be between 0 and 0.5`);
  const strata = control.strata?.length;
  if (liveArms(evidence).some((arm) => arm.strata?.length !== strata))
    throw new RangeError('the arms were not drawn from the same strata');
  for (const { arm, sums } of [control, ...arms]) {
    if (kind !== 'ratio' && sums.requests !== sums.entities)
      throw new RangeError(
        `${arm}: a ${kind} metric has one value an entity, but ${sums.entities} entities have ${sums.requests}`,
      );
    if (kind === 'binary' && (sums.total < 0 || sums.total > sums.entities))
      throw new RangeError(`${arm}: ${sums.total} of ${sums.entities} entities is no share`);
  }
}
