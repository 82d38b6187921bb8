/**
 * The laws that users live by. Each day a user is in one of four hidden states, which follow a Markov chain; the state
 * decides how likely they are active that day and how much they do. What they do next follows from what they did last, by
 * the routine of their persona.
 */
export const ENGAGEMENT_STATES = ['high', 'medium', 'low', 'away'] as const;
export const AWAY = 3;

/** Chance of being active, by state, on a weekday and at the weekend. */
export const ACTIVE_WEEKDAY = [0.9, 0.55, 0.33, 0] as const;
export const ACTIVE_WEEKEND = [0.4, 0.2, 0.15, 0] as const;
/** Mean number of events beyond the first on an active day, before the user's pace. */
export const EXTRA_EVENTS = [4, 1.6, 0.2, 0] as const;
/** The paces, each as likely: they multiply `EXTRA_EVENTS` for life. */
export const PACES = [0.85, 1, 1.15] as const;
/** On the day of registration, which is always active, users do this many events more. */
export const ONBOARDING_EVENTS = 3;
/** State on the day of registration. */
export const INITIAL_STATE = [0.25, 0.27, 0.48, 0] as const;
/** Chances per day to change from a state (row) into another (column); the diagonal is what is left. */
const DAILY_CHANGE = [
  [0, 0.0008, 0.0012, 0.0035],
  [0.0006, 0, 0.003, 0.0055],
  [0.0003, 0.0008, 0, 0.026],
  [0.0004, 0.0005, 0.0006, 0],
] as const;

export const EVENT_TYPES = [
  'login',
  'code_generation',
  'code_review',
  'commit',
  'deployment',
  'collaboration',
  'ai_chat',
  'documentation',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** A kind of user: how common, how loyal, and what they do after what. */
export interface Persona {
  name: string;
  /** Share of the users, 0..1. */
  share: number;
  /** Multiplies the chance per day to go away. */
  leaving: number;
  /** What usually comes after each event type. */
  routine: Readonly<Record<EventType, EventType>>;
  /** What they do when they break the routine, as weights in the order of `EVENT_TYPES`. */
  taste: readonly number[];
}

/** Chance that an event breaks the routine and is drawn from the taste. */
export const ROUTINE_BREAK = 0.09;

/** A routine: the cycle in order, and for every other type where it leads back into the cycle. */
function routine(cycle: readonly EventType[], others: EventType): Record<EventType, EventType> {
  const followers = Object.fromEntries(EVENT_TYPES.map((type) => [type, others]));
  cycle.forEach((type, index) => (followers[type] = cycle[(index + 1) % cycle.length] as EventType));
  return followers as Record<EventType, EventType>;
}

export const PERSONAS: readonly Persona[] = [
  {
    name: 'builder',
    share: 0.3,
    leaving: 1,
    routine: routine(['login', 'code_generation', 'commit', 'code_review', 'deployment'], 'code_generation'),
    taste: [1, 3, 2, 3, 1, 1, 2, 1],
  },
  {
    name: 'explorer',
    share: 0.2,
    leaving: 1.4,
    routine: routine(['login', 'ai_chat', 'code_generation', 'documentation'], 'ai_chat'),
    taste: [1, 3, 1, 1, 1, 1, 4, 2],
  },
  {
    name: 'reviewer',
    share: 0.15,
    leaving: 0.8,
    routine: routine(['login', 'code_review', 'collaboration', 'commit'], 'code_review'),
    taste: [1, 1, 4, 2, 1, 3, 1, 1],
  },
  {
    name: 'operator',
    share: 0.1,
    leaving: 0.8,
    routine: routine(['login', 'deployment', 'documentation', 'code_review'], 'deployment'),
    taste: [2, 1, 2, 1, 4, 1, 1, 2],
  },
  {
    name: 'writer',
    share: 0.1,
    leaving: 1.2,
    routine: routine(['login', 'documentation', 'ai_chat', 'collaboration'], 'documentation'),
    taste: [1, 1, 1, 1, 1, 2, 2, 4],
  },
  {
    name: 'lead',
    share: 0.15,
    leaving: 0.7,
    routine: routine(['login', 'collaboration', 'code_review', 'ai_chat', 'deployment'], 'collaboration'),
    taste: [2, 1, 3, 1, 2, 4, 2, 1],
  },
];

/** Chances per day from state to state for a persona: rows sum to 1. */
export function transitionMatrix(persona: Persona): number[][] {
  return DAILY_CHANGE.map((row, from) => {
    const changes = row.map((chance, to) => (to === AWAY ? chance * persona.leaving : chance));
    changes[from] = 1 - changes.reduce((sum, chance) => sum + chance, 0);
    return changes;
  });
}

/** Chance of each event type (in the order of `EVENT_TYPES`) right after an event of each type (row). */
export function nextTypeMatrix(persona: Persona): number[][] {
  const total = persona.taste.reduce((sum, weight) => sum + weight, 0);
  return EVENT_TYPES.map((type) => {
    const usual = persona.routine[type];
    return EVENT_TYPES.map(
      (next, k) => (next === usual ? 1 - ROUTINE_BREAK : 0) + (ROUTINE_BREAK * (persona.taste[k] ?? 0)) / total,
    );
  });
}

/** Chance of being active on a day, by state. */
export function activeChance(state: number, weekend: boolean): number {
  return (weekend ? ACTIVE_WEEKEND : ACTIVE_WEEKDAY)[state] ?? 0;
}

/** Chance of each number of events, 0..length-1, in a day: none if not active, else one and a Poisson number more. */
export function dailyCountChances(state: number, weekend: boolean, pace: number, length = 40): Float64Array {
  const active = activeChance(state, weekend);
  const mean = (EXTRA_EVENTS[state] ?? 0) * pace;
  const chances = new Float64Array(length);
  chances[0] = 1 - active;
  let poisson = Math.exp(-mean);
  for (let extra = 0; extra + 1 < length; extra += 1) {
    chances[extra + 1] = active * poisson;
    poisson *= mean / (extra + 1);
  }
  return chances;
}
