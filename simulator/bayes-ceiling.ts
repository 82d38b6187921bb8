import { CeilingScore, expectedRocAuc, type HeadCeiling } from './ceiling-score.js';
import { HistoryFilter, nextTypeChances, type Belief } from './history-filter.js';
import { buildOutlookTable, type OutlookTable } from './outlook.js';
import { checkParameters, DAY_MS, dayNumber, type SimulationParameters } from './simulation-parameters.js';
import { simulateUserLife, type UserLife } from './user-life.js';
import { EVENT_TYPES } from './user-model.js';

/** Which rows the ceiling is of. The defaults are those of the training table of user behaviour. */
export interface CeilingRequest {
  parameters?: Partial<SimulationParameters>;
  /** Only events in [startDate, endDate) count; `YYYY-MM-DD`, by default the window of the simulation. */
  startDate?: string;
  endDate?: string;
  /** Days from one as-of time to the next. Default 15. */
  everyDays?: number;
  /** A user counts at an as-of time with an event in this many days before it. Default 60. */
  lookbackDays?: number;
  horizonDays?: number;
  /** Only users with an event in the 30 days before the as-of time. Default false. */
  activeUsersOnly?: boolean;
  /** Events in 30 days from which on engagement is medium, and high. */
  engagementEvents?: { medium: number; high: number };
}

/** The ceilings for one observer. */
export interface ObserverCeiling {
  churn: HeadCeiling & { rocAuc: number };
  engagementLevel: HeadCeiling;
  nextActivity: HeadCeiling;
}

export interface Ceiling {
  rows: number;
  users: number;
  asOf: string[];
  /** Share of rows that churn, as expected, 0..1. */
  churnRate: number;
  /** For an observer of all recorded events, the registration date and the laws: what no model of the data can beat. */
  history: ObserverCeiling;
  /** For one who also sees the hidden state, persona and pace: above `history`, by what history hides. */
  latent: ObserverCeiling;
}

class ObserverScore {
  readonly churn = new CeilingScore(2);
  readonly levels = new CeilingScore(3);
  readonly next = new CeilingScore(EVENT_TYPES.length);
  readonly churnChances: number[] = [];

  add(belief: Belief, outlook: OutlookTable, day: number, lastType: number): void {
    let churn = 0;
    const levels = [0, 0, 0];
    const next = Array.from({ length: EVENT_TYPES.length }, () => 0);
    belief.forEach((chance, persona, pace, state) => {
      if (chance === 0) return;
      const ahead = outlook(persona, pace, day, state);
      churn += chance * ahead.churn;
      ahead.levels.forEach((level, k) => (levels[k] = (levels[k] ?? 0) + chance * level));
      nextTypeChances(persona, lastType).forEach(
        (type, k) => (next[k] = (next[k] ?? 0) + chance * (1 - ahead.churn) * type),
      );
    });
    this.churn.add([churn, 1 - churn]);
    this.churnChances.push(churn);
    this.levels.add(levels);
    this.next.add(next, 1 - churn);
  }

  result(): ObserverCeiling {
    return {
      churn: { ...this.churn.result(), rocAuc: expectedRocAuc(this.churnChances) },
      engagementLevel: this.levels.result(),
      nextActivity: this.next.result(),
    };
  }
}

/**
 * The best accuracy that any model can be expected to reach on the three heads of user behaviour, from the laws of the
 * simulation: for each user and as-of time the exact chance of each answer, by dynamic programming over the horizon and
 * Bayes' rule over the history; no sampling beside the simulated lives themselves.
 */
export function bayesCeiling(request: CeilingRequest = {}): Ceiling {
  const parameters = checkParameters(request.parameters ?? {});
  const {
    lookbackDays = 60,
    horizonDays = 30,
    activeUsersOnly = false,
    engagementEvents = { medium: 15, high: 60 },
  } = request;
  const outlook = buildOutlookTable({
    horizonDays,
    mediumFrom: (engagementEvents.medium * horizonDays) / 30,
    highFrom: (engagementEvents.high * horizonDays) / 30,
  });
  const asOfDays = ceilingAsOfDays(parameters, request);
  const seenDays = activeUsersOnly ? Math.min(lookbackDays, 30) : lookbackDays;
  const history = new ObserverScore();
  const latent = new ObserverScore();
  let users = 0;
  for (let index = 0; index < parameters.users; index += 1) {
    const before = history.churnChances.length;
    scoreUser(parameters, index, asOfDays, seenDays, (life, filter, day) => {
      history.add(filter, outlook, day, filter.lastType ?? 0);
      const state = life.states[day - 1 - life.registeredDay] ?? 0;
      latent.add({ forEach: (visit) => visit(1, life.persona, life.pace, state) }, outlook, day, filter.lastType ?? 0);
    });
    if (history.churnChances.length > before) users += 1;
  }
  const { churnChances } = history;
  const churnRate = churnChances.reduce((sum, chance) => sum + chance, 0) / Math.max(1, churnChances.length);
  const asOf = asOfDays.map((day) => new Date(day * DAY_MS).toISOString());
  return { rows: churnChances.length, users, asOf, churnRate, history: history.result(), latent: latent.result() };
}

/** As-of days counted back from the last whose horizon is covered, while the lookback is covered too. */
export function ceilingAsOfDays(parameters: SimulationParameters, request: CeilingRequest): number[] {
  const { everyDays = 15, lookbackDays = 60, horizonDays = 30 } = request;
  const from = Math.max(
    dayNumber(parameters.start),
    request.startDate === undefined ? -Infinity : dayNumber(request.startDate),
  );
  // The last event falls just before the end of the window, so that the last whole day is the one before.
  const until = Math.min(
    dayNumber(parameters.end) - 1,
    request.endDate === undefined ? Infinity : dayNumber(request.endDate),
  );
  const days: number[] = [];
  for (let day = until - horizonDays; day - lookbackDays >= from; day -= everyDays) days.unshift(day);
  return days;
}

/** Follows one user through the window and calls `score` at each as-of day at which they count. */
function scoreUser(
  parameters: SimulationParameters,
  index: number,
  asOfDays: readonly number[],
  seenDays: number,
  score: (life: UserLife, filter: HistoryFilter, day: number) => void,
): void {
  const life = simulateUserLife(parameters, index);
  const filter = new HistoryFilter(parameters, life);
  const startDay = dayNumber(parameters.start);
  const lastAsOf = asOfDays[asOfDays.length - 1] ?? -Infinity;
  let lastActiveDay = -Infinity;
  let typeIndex = 0;
  for (let offset = 0; offset <= life.counts.length; offset += 1) {
    const day = life.registeredDay + offset;
    if (day > lastAsOf) return;
    if (asOfDays.includes(day) && day - lastActiveDay <= seenDays) score(life, filter, day);
    const count = life.counts[offset] ?? 0;
    filter.observeDay(offset, life.types.subarray(typeIndex, typeIndex + count));
    typeIndex += count;
    if (count > 0 && day >= startDay) lastActiveDay = day;
  }
}
