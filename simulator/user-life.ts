import { RandomSource } from './random-source.js';
import { dayNumber, isWeekend, type SimulationParameters } from './simulation-parameters.js';
import {
  activeChance,
  EVENT_TYPES,
  EXTRA_EVENTS,
  INITIAL_STATE,
  ONBOARDING_EVENTS,
  nextTypeMatrix,
  PACES,
  PERSONAS,
  transitionMatrix,
} from './user-model.js';

/** Users registered up to this many days before the window opens. */
export const EARLY_REGISTRATION_DAYS = 180;

/** A simulated life, with what no observer sees: the states, the persona and the pace. */
export interface UserLife {
  userId: string;
  /** 0-based. */
  index: number;
  /** Index into `PERSONAS`. */
  persona: number;
  /** Index into `PACES`. */
  pace: number;
  /** Day number (see `dayNumber`) of the registration; can lie before the window. */
  registeredDay: number;
  /** State on each day from the registration to the end of the window, as an index into `ENGAGEMENT_STATES`. */
  states: Uint8Array;
  /** Events on each of these days. Days before the window are lived but not recorded. */
  counts: Uint8Array;
  /** Types of all events of the life in order, as indexes into `EVENT_TYPES`. */
  types: Uint8Array;
}

const SHARES = PERSONAS.map((persona) => persona.share);
const TRANSITIONS = PERSONAS.map(transitionMatrix);
const NEXT_TYPES = PERSONAS.map(nextTypeMatrix);

/** Lives the life of user `index` (0-based), the same whatever the number of users. */
export function simulateUserLife(parameters: SimulationParameters, index: number): UserLife {
  const random = new RandomSource(parameters.seed, 'life', index);
  const persona = random.weighted(SHARES);
  const pace = random.below(PACES.length);
  const start = dayNumber(parameters.start);
  const end = dayNumber(parameters.end);
  const registeredDay = start - EARLY_REGISTRATION_DAYS + random.below(end - start + EARLY_REGISTRATION_DAYS);
  const states = new Uint8Array(end - registeredDay);
  const counts = new Uint8Array(states.length);
  let events = 0;
  for (let day = 0; day < states.length; day += 1) {
    const before = states[day - 1];
    const state = random.weighted(
      before === undefined ? INITIAL_STATE : (TRANSITIONS[persona]?.[before] ?? INITIAL_STATE),
    );
    states[day] = state;
    const isActive = day === 0 || random.chance(activeChance(state, isWeekend(registeredDay + day)));
    if (isActive) counts[day] = 1 + random.poisson((EXTRA_EVENTS[state] ?? 0) * (PACES[pace] ?? 1));
    if (day === 0) counts[day] = (counts[day] ?? 0) + ONBOARDING_EVENTS;
    events += counts[day] ?? 0;
  }
  const types = simulateTypes(random, persona, events);
  return { userId: `user_${index + 1}`, index, persona, pace, registeredDay, states, counts, types };
}

/** The first event is drawn from the taste, each later one from what it follows. */
function simulateTypes(random: RandomSource, persona: number, events: number): Uint8Array {
  const types = new Uint8Array(events);
  for (let i = 0; i < events; i += 1) {
    const before = types[i - 1];
    const weights = before === undefined ? PERSONAS[persona]?.taste : NEXT_TYPES[persona]?.[before];
    types[i] = random.weighted(weights ?? Array.from({ length: EVENT_TYPES.length }, () => 1));
  }
  return types;
}
