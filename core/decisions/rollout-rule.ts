/** By what numbers a rollout is judged. It is stored with each verdict, so that the verdict can be replayed. */
export interface RolloutRule {
  /** Chance that a version without any harm is ever rolled back, over all guardrails and however often one looks. */
  harmAlpha: number;
  /** Chance that a version whose harm is at a guardrail's margin is ever promoted. */
  promoteAlpha: number;
  /** Entities that each arm needs before a normal approximation is trusted. */
  leastEntities: number;
  /** As many equally busy entities as each arm must weigh like: a few bots that send most requests are no crowd. */
  leastEvenEntities: number;
  /** Entities with an event, in both arms together, before a normal approximation of a rate is trusted. */
  leastEvents: number;
  /** Requests that each arm must have sent before a step may be left upwards. */
  leastRequests: number;
  /** Paired requests that a shadow or a holdout needs before a promotion. */
  leastPairs: number;
  /** Evaluation windows before a step may be left upwards. */
  windowsPerStep: number;
  /** Evaluation windows in one step after which a person is asked. */
  mostWindows: number;
  /** The default margin of a rate is at least this much ... */
  leastMargin: number;
  /** ... or this share of the baseline's value, whichever is more. */
  marginShare: number;
  /** The split of entities is held to be broken when the evidence is this many times likelier than under a sound one. */
  splitAlarm: number;
  /** How closely around one half the split's test looks, in entities. */
  splitPriorWeight: number;
  /** Share of entities that may be answered by both versions, while routing tables change. */
  mostCrossedShare: number;
}

export const DEFAULT_ROLLOUT_RULE: Readonly<RolloutRule> = {
  harmAlpha: 0.01,
  promoteAlpha: 0.05,
  leastEntities: 100,
  leastEvenEntities: 30,
  leastEvents: 20,
  leastRequests: 0,
  leastPairs: 500,
  windowsPerStep: 3,
  mostWindows: 60,
  leastMargin: 0.005,
  marginShare: 0.2,
  splitAlarm: 1000,
  splitPriorWeight: 100,
  mostCrossedShare: 0.005,
};

/** What a holdout is judged by. Bounds that hold at every look are wide enough for so few rows. */
export const HOLDOUT_RULE: Readonly<RolloutRule> = { ...DEFAULT_ROLLOUT_RULE, leastPairs: 100 };

/**
 * Checks a rule before anything is judged by it.
 * @throws RangeError that names the first number out of range
 */
export function checkRolloutRule(rule: RolloutRule): void {
  const needs = (name: keyof RolloutRule, isRight: boolean, range: string) => {
    if (!isRight) throw new RangeError(`the rule's ${name} is ${rule[name]} but must be ${range}`);
  };
  for (const name of ['harmAlpha', 'promoteAlpha'] as const)
    needs(name, rule[name] > 0 && rule[name] < 0.5, 'between 0 and 0.5');
  for (const name of ['leastEntities', 'leastPairs', 'windowsPerStep', 'mostWindows'] as const)
    needs(name, Number.isSafeInteger(rule[name]) && rule[name] >= 1, 'a whole number of 1 or more');
  for (const name of ['leastRequests', 'leastEvenEntities', 'leastEvents', 'leastMargin', 'marginShare'] as const)
    needs(name, rule[name] >= 0 && rule[name] < Infinity, 'finite and not below 0');
  needs('mostWindows', rule.mostWindows >= rule.windowsPerStep, `at least windowsPerStep (${rule.windowsPerStep})`);
  needs('splitAlarm', rule.splitAlarm > 1, 'above 1');
  needs('splitPriorWeight', rule.splitPriorWeight > 0, 'above 0');
  needs('mostCrossedShare', rule.mostCrossedShare > 0 && rule.mostCrossedShare < 1, 'between 0 and 1');
}
