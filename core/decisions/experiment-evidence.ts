import type { ArmSums } from './rollout-evidence.js';

/** Sums over an arm's entities of what each was like before the experiment, x_i, to take that out of the comparison. */
export interface BeforeSums {
  /** Sum of x_i. */
  total: number;
  /** Sum of x_i squared. */
  squared: number;
  /** Sum of x_i times y_i. */
  withTotal: number;
  /** Sum of x_i times n_i. */
  withRequests: number;
}

/** What one arm of an experiment showed. */
export interface ExperimentArm {
  arm: string;
  /** Share of the experiment's entities that are assigned to it, in (0, 1). */
  weight: number;
  /** Entities assigned to it so far, whether or not the metric has been seen of them. */
  assigned: number;
  /** Of a binary metric and of a mean n_i is 1 and y_i the entity's value; of a ratio both are what they are. */
  sums: ArmSums;
  /** Only where it is known of every entity in `sums`. */
  before?: BeforeSums;
  /** Of an adaptive allocation: the same by the chances with which the entities were drawn. */
  strata?: readonly ArmStratum[];
  /** What was found when the arm was taken back. Its entities have seen the control since, so it is not judged again. */
  settled?: ArmFinding;
}

/** The entities of an arm that were drawn by the same chances. */
export interface ArmStratum {
  stratum: string;
  /** The chance of this arm, logged with each prediction; above 0. */
  propensity: number;
  assigned: number;
  sums: ArmSums;
  before?: BeforeSums;
}

/** All that a verdict on an experiment is made of, cumulated since it began. */
export interface ExperimentEvidence {
  metric: string;
  kind: 'binary' | 'mean' | 'ratio';
  /** In which direction the metric is better. */
  better: 'rises' | 'falls';
  /** The smallest gain that is worth having, above 0, in the metric's own unit. */
  minimumEffect: number;
  control: ExperimentArm;
  arms: readonly ExperimentArm[];
  /** Entities that were answered by more than one arm. */
  crossed: number;
  days: number;
}

/** By what numbers an experiment is judged; stored with each verdict. */
export interface ExperimentRule {
  /** Chance that any arm without an effect is ever called better or worse, over all arms and looks. */
  alpha: number;
  /** Entities that each arm needs before a normal approximation is trusted. */
  leastEntities: number;
  /** As many equally busy entities as each arm must weigh like. */
  leastEvenEntities: number;
  /** Entities with an event, in arm and control together, before one of a binary metric is. */
  leastEvents: number;
  /** Days before a winner is named, so that no weekday decides alone. */
  leastDays: number;
  /** Days after which what is open stays open. */
  mostDays: number;
  /** The split is held to be broken when the evidence is this many times likelier than under a sound one. */
  splitAlarm: number;
  /** How closely around the weights the split's test looks, in entities. */
  splitPriorWeight: number;
  /** Share of entities that may be answered by more than one arm. */
  mostCrossedShare: number;
}

export const DEFAULT_EXPERIMENT_RULE: Readonly<ExperimentRule> = {
  alpha: 0.05,
  leastEntities: 100,
  leastEvenEntities: 30,
  leastEvents: 20,
  leastDays: 7,
  mostDays: 56,
  splitAlarm: 1000,
  splitPriorWeight: 100,
  mostCrossedShare: 0.005,
};

export type ExperimentDecision = 'running' | 'winner' | 'harmful' | 'futile' | 'inconclusive';

/** What one arm against the control says. */
export interface ArmFinding {
  arm: string;
  decision: ExperimentDecision;
  /** Arm minus control, signed so that above 0 is better; after adjustment. */
  estimate: number | null;
  /** The confidence sequence's bounds: they hold at all looks and for all arms together. */
  lower: number | null;
  upper: number | null;
  /** Share of the variance that the values from before the experiment took away. */
  varianceRemoved: number;
  /** One sentence. */
  reason: string;
}

export interface ExperimentVerdict {
  decision: ExperimentDecision;
  /** The best arm, where the decision is `winner`. */
  winner?: string;
  /** One sentence. */
  reason: string;
  arms: readonly ArmFinding[];
}
