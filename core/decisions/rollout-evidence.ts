/**
 * What one arm of a rollout showed in one measure, as sums over its entities: enough for a ratio of two means and its variance,
 * clustered by entity (delta method). An entity i sent n_i requests, and the measure summed up to y_i over them.
 */
export interface ArmSums {
  /** Entities with at least one request in the measure. */
  entities: number;
  /** Sum of n_i. */
  requests: number;
  /** Sum of y_i. */
  total: number;
  /** Sum of n_i squared. */
  requestsSquared: number;
  /** Sum of y_i squared. */
  totalSquared: number;
  /** Sum of n_i times y_i. */
  crossed: number;
  /** Entities whose y_i is above 0: for a rate, those that met at least one event. */
  entitiesWithEvents: number;
}

/** In which direction a measure of the new version, against the present one, is harm. */
export type Harm = 'rises' | 'falls' | 'either';

/** One guardrail, as both cohorts have shown it since the rollout began. */
export interface MeasureEvidence {
  /** Such as `error_rate`, `slow_rate`, `loss:churn_probability`, `feedback:revenue`. */
  measure: string;
  /** A rate counts events (y_i is a whole number up to n_i); a mean sums any numbers. */
  kind: 'rate' | 'mean';
  harm: Harm;
  candidate: ArmSums;
  baseline: ArmSums;
  /** What a perfect version has: a move towards it is no harm, one away from it is. Of measures whose harm is `either`. */
  ideal?: number;
  /** The largest harm that is still acceptable, in the measure's own unit; without one the rule's default. */
  margin?: number;
  /** It can speak against the version; a step does not wait until it is shown to be safe. */
  isOptional?: boolean;
}

/** Entities of the two cohorts of equal size, to find a split that is not what it should be. */
export interface AssignmentEvidence {
  candidate: number;
  baseline: number;
  /** Entities that were answered by both versions, against the assignment. */
  both: number;
}

/** All that a verdict on a step of a canary is made of, cumulated since the rollout began. */
export interface CanaryEvidence {
  strategy: 'canary';
  /** Which step of the ladder, from 0. */
  step: number;
  /** Share of the entities that the new version answers, in percent. */
  share: number;
  isLastStep: boolean;
  /** Share of the next step, in percent; default 100. The less of the traffic is at stake there, the less must be known to go there. */
  nextShare?: number;
  /** Evaluation windows that have ended in this step. */
  windows: number;
  /** Seconds since the rollout's first request in a cohort; tells how long more requests take. */
  seconds: number;
  measures: readonly MeasureEvidence[];
  assignment: AssignmentEvidence;
}

/** The same requests scored by both versions; of an entity y_i sums the differences, new minus present. */
export interface PairedMeasure {
  measure: string;
  /** A rate's values are 0 or 1 a request, so that differences are whole numbers from -1 to 1; default `mean`. */
  kind?: 'rate' | 'mean';
  harm: Harm;
  difference: ArmSums;
  /** Mean of the present version, for a margin that is a share of it. */
  baselineMean: number;
  /** What a perfect version has: a move towards it is no harm, one away from it is. Of measures whose harm is `either`. */
  ideal?: number;
  margin?: number;
  /** It can speak against the version; a step does not wait until it is shown to be safe. */
  isOptional?: boolean;
}

/** All that a verdict on a shadow, or on a frozen holdout, is made of. */
export interface PairedEvidence {
  strategy: 'shadow' | 'holdout';
  windows: number;
  seconds: number;
  /** Requests that both versions scored. */
  pairs: number;
  /** Share of the entities that the new version answers next, in percent; default 100. */
  nextShare?: number;
  measures: readonly PairedMeasure[];
}

export type RolloutEvidence = CanaryEvidence | PairedEvidence;

export type Verdict = 'PROMOTE' | 'ROLLBACK' | 'HOLD' | 'ASK';

/** What a guardrail says, with the numbers that it says it by. */
export interface GuardrailFinding {
  measure: string;
  finding: 'harmful' | 'safe' | 'undecided';
  /** New minus present, signed so that above 0 is harm. */
  estimate: number | null;
  /** Harm is at least this, but for the guardrail's share of the rule's `harmAlpha`. */
  lower: number | null;
  /** Harm is at most this, but for the rule's `promoteAlpha`. */
  upper: number | null;
  margin: number | null;
  /** Harm that would still be acceptable at the next step, where fewer than all entities are answered; absent when that is the margin. */
  allowed?: number;
  /** More requests an arm that would settle it, at the present variance; absent when it is settled or nothing is known yet. */
  requestsNeeded?: number;
  /** One sentence. */
  reason: string;
}

export interface RolloutVerdict {
  verdict: Verdict;
  /** One sentence that a person can act on. */
  reason: string;
  findings: readonly GuardrailFinding[];
  /** Of a HOLD for want of evidence: about how much is missing. */
  needed?: { requests: number; seconds: number | null };
}
