import { judgeRollout } from './judge-rollout.js';
import type { ArmSums, MeasureEvidence, Verdict } from './rollout-evidence.js';
import type { RolloutRule } from './rollout-rule.js';

/** The log of one model, summed up by entity and window: a row for each window in which an entity came, in the order of time. */
export interface ReplayLog {
  measures: readonly Omit<MeasureEvidence, 'candidate' | 'baseline'>[];
  windows: number;
  windowSeconds: number;
  /** Of each entity its first row; one longer than there are entities. */
  starts: Uint32Array;
  /** Of each row its window, from 0. */
  windowOfRow: Uint16Array;
  /** Of each row, by measure, the entity's requests and total until the end of its window: [n0, s0, n1, s1, …]. */
  values: Float64Array;
}

/** What became of one split. */
export interface ReplayEnd {
  /** The first window, from 1, that would have rolled back, and that would have promoted; 0 where none did. */
  rolledBackAt: number;
  promotedAt: number;
  hasAsked: boolean;
  /** By measure: whether any window called it harmful. */
  isHarmful: boolean[];
}

const FIELDS = [
  'entities',
  'requests',
  'total',
  'requestsSquared',
  'totalSquared',
  'crossed',
  'entitiesWithEvents',
] as const satisfies readonly (keyof ArmSums)[];

/** Sums of one cohort by window, before they are cumulated: by measure the fields of `ArmSums`, and the entities that came first. */
interface CohortSums {
  fields: Float64Array;
  newcomers: Float64Array;
}

/**
 * Splits the entities of a log into two cohorts and judges them window by window, as a canary at half of the traffic would have been: by the
 * code that decides on rollouts. All windows are judged, whatever the earlier ones said, since that is what the promise is about.
 * @param isCandidate whether an entity, from 0, is in the first cohort
 * @param everyone the sums of all entities, from `sumEveryone`
 */
export function replaySplit(
  log: ReplayLog,
  isCandidate: (entity: number) => boolean,
  rule: RolloutRule,
  everyone: CohortSums = sumEveryone(log),
): ReplayEnd {
  const ours = sumCohort(log, isCandidate);
  const end: ReplayEnd = {
    rolledBackAt: 0,
    promotedAt: 0,
    hasAsked: false,
    isHarmful: log.measures.map(() => false),
  };
  const candidate = cohortOf(log);
  const whole = cohortOf(log);
  for (let window = 0; window < log.windows; window++) {
    addWindow(candidate, ours, window);
    addWindow(whole, everyone, window);
    const { verdict, findings } = judgeRollout(
      {
        strategy: 'canary',
        step: 0,
        share: 50,
        isLastStep: true,
        windows: window + 1,
        seconds: (window + 1) * log.windowSeconds,
        measures: log.measures.map((measure, at) => ({
          ...measure,
          candidate: candidate.sums[at]!,
          baseline: without(whole.sums[at]!, candidate.sums[at]!),
        })),
        assignment: { candidate: candidate.entities, baseline: whole.entities - candidate.entities, both: 0 },
      },
      rule,
    );
    note(end, verdict, window + 1);
    findings.forEach(({ finding }, at) => (end.isHarmful[at] ||= finding === 'harmful'));
  }
  return end;
}

/** The sums of all entities: those of the second cohort are what the first one leaves. */
export const sumEveryone = (log: ReplayLog): CohortSums => sumCohort(log, () => true);

function note(end: ReplayEnd, verdict: Verdict, window: number): void {
  if (verdict === 'ROLLBACK') end.rolledBackAt ||= window;
  if (verdict === 'PROMOTE') end.promotedAt ||= window;
  if (verdict === 'ASK') end.hasAsked = true;
}

function sumCohort(log: ReplayLog, isIn: (entity: number) => boolean): CohortSums {
  const { starts, windowOfRow, values, windows } = log;
  const measures = log.measures.length;
  const fields = new Float64Array(windows * measures * FIELDS.length);
  const newcomers = new Float64Array(windows);
  for (let entity = 0; entity < starts.length - 1; entity++) {
    if (!isIn(entity)) continue;
    const first = starts[entity]!;
    newcomers[windowOfRow[first]!]!++;
    for (let row = first; row < starts[entity + 1]!; row++) {
      for (let measure = 0; measure < measures; measure++) {
        const place = (row * measures + measure) * 2;
        const n = values[place]!;
        const s = values[place + 1]!;
        const hadN = row === first ? 0 : values[place - 2 * measures]!;
        const hadS = row === first ? 0 : values[place - 2 * measures + 1]!;
        const at = (windowOfRow[row]! * measures + measure) * FIELDS.length;
        if (n > 0 && hadN === 0) fields[at]! += 1;
        fields[at + 1]! += n - hadN;
        fields[at + 2]! += s - hadS;
        fields[at + 3]! += n * n - hadN * hadN;
        fields[at + 4]! += s * s - hadS * hadS;
        fields[at + 5]! += n * s - hadN * hadS;
        if (s !== 0 && hadS === 0) fields[at + 6]! += 1;
        else if (s === 0 && hadS !== 0) fields[at + 6]! -= 1;
      }
    }
  }
  return { fields, newcomers };
}

function cohortOf({ measures }: ReplayLog): { sums: Record<(typeof FIELDS)[number], number>[]; entities: number } {
  return {
    entities: 0,
    sums: measures.map(() => ({
      entities: 0,
      requests: 0,
      total: 0,
      requestsSquared: 0,
      totalSquared: 0,
      crossed: 0,
      entitiesWithEvents: 0,
    })),
  };
}

function addWindow(cohort: ReturnType<typeof cohortOf>, { fields, newcomers }: CohortSums, window: number): void {
  cohort.entities += newcomers[window]!;
  cohort.sums.forEach((sums, measure) => {
    const at = (window * cohort.sums.length + measure) * FIELDS.length;
    FIELDS.forEach((field, offset) => (sums[field] += fields[at + offset]!));
  });
}

/** Rounding must not leave less than nothing of a sum that cannot be. */
function without(whole: ArmSums, part: ArmSums): ArmSums {
  const rest = { ...whole };
  for (const field of FIELDS) {
    const left = whole[field] - part[field];
    rest[field] = field === 'total' || field === 'crossed' ? left : Math.max(0, left);
  }
  return rest;
}
