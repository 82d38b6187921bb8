import { dayNumber, isWeekend, type SimulationParameters } from './simulation-parameters.js';
import type { UserLife } from './user-life.js';
import {
  activeChance,
  dailyCountChances,
  ENGAGEMENT_STATES,
  EVENT_TYPES,
  INITIAL_STATE,
  nextTypeMatrix,
  ONBOARDING_EVENTS,
  PACES,
  PERSONAS,
  transitionMatrix,
} from './user-model.js';

const STATES = ENGAGEMENT_STATES.length;
const TYPES = EVENT_TYPES.length;
const TRANSITIONS = PERSONAS.map((persona) => transitionMatrix(persona).flat());
const NEXT_TYPES = PERSONAS.map(nextTypeMatrix);
/** Chances of a count by pace, weekend and state: `[pace][weekend][state][count]`. */
const COUNTS = PACES.map((pace) =>
  [false, true].map((weekend) => ENGAGEMENT_STATES.map((_, state) => dailyCountChances(state, weekend, pace))),
);
/** Chances of the first recorded type: of the life itself where that was recorded, else of any event in the long run. */
const FIRST_TYPES = PERSONAS.map(({ taste }) =>
  taste.map((weight) => weight / taste.reduce((sum, one) => sum + one, 0)),
);
const LATER_TYPES = NEXT_TYPES.map(longRunTypes);

/** How often each type occurs in the long run, from the matrix of what follows what. */
function longRunTypes(next: number[][]): number[] {
  let shares = Array.from({ length: TYPES }, () => 1 / TYPES);
  for (let step = 0; step < 500; step += 1) {
    const after = Array.from({ length: TYPES }, () => 0);
    // Half of each step stays where it is: a cycle has no other way to settle.
    shares.forEach((share, type) => {
      after[type] = (after[type] ?? 0) + share / 2;
      next[type]?.forEach((chance, to) => (after[to] = (after[to] ?? 0) + (share * chance) / 2));
    });
    shares = after;
  }
  return shares;
}

/** What can be told of a user from their history: chances of each persona, pace and state, exact by Bayes' rule. */
export interface Belief {
  /** Calls `visit` for each persona, pace and state (on the last day seen) with its chance; the chances sum to 1. */
  forEach(visit: (chance: number, persona: number, pace: number, state: number) => void): void;
}

/**
 * Follows one user day by day as an observer who knows the laws, the date of registration and the recorded events, but no
 * hidden state: the forward algorithm for hidden Markov models, side by side for every persona and pace.
 */
export class HistoryFilter implements Belief {
  /** Chance of each state given persona and pace, and the logarithm of the weight of each pair. */
  readonly #states = PERSONAS.map(() => PACES.map(() => Float64Array.from(INITIAL_STATE)));
  readonly #weights = PERSONAS.map((persona) =>
    new Float64Array(PACES.length).fill(Math.log(persona.share / PACES.length)),
  );
  readonly #startDay: number;
  #lastType: number | undefined;

  constructor(
    parameters: SimulationParameters,
    private readonly life: UserLife,
  ) {
    this.#startDay = dayNumber(parameters.start);
  }

  /** Takes in the day that lies `offset` days after the registration, with the types of its events in order. */
  observeDay(offset: number, types: Uint8Array): void {
    const day = this.life.registeredDay + offset;
    const isRecorded = day >= this.#startDay;
    const events = types.length - (offset === 0 ? ONBOARDING_EVENTS : 0);
    this.#states.forEach((paces, persona) => {
      paces.forEach((states, pace) => {
        if (offset > 0) advance(states, TRANSITIONS[persona] ?? []);
        if (!isRecorded) return;
        const chances = COUNTS[pace]?.[isWeekend(day) ? 1 : 0] ?? [];
        let total = 0;
        for (let state = 0; state < STATES; state += 1) {
          // The day of registration is active for certain: the chance is that of the count, given activity.
          const active = offset === 0 ? activeChance(state, isWeekend(day)) : 1;
          const likelihood = active === 0 ? 0 : (chances[state]?.[events] ?? 0) / active;
          states[state] = (states[state] ?? 0) * likelihood;
          total += states[state] ?? 0;
        }
        for (let state = 0; state < STATES; state += 1) states[state] = (states[state] ?? 0) / total;
        this.#addEvidence(persona, pace, Math.log(total));
      });
      if (isRecorded) this.#observeTypes(persona, types);
    });
    if (isRecorded && types.length > 0) this.#lastType = types[types.length - 1];
  }

  /** Index of the latest recorded event type; undefined before the first. */
  get lastType(): number | undefined {
    return this.#lastType;
  }

  forEach(visit: (chance: number, persona: number, pace: number, state: number) => void): void {
    const top = Math.max(...this.#weights.flatMap((weights) => [...weights]));
    let total = 0;
    for (const weights of this.#weights) for (const weight of weights) total += Math.exp(weight - top);
    this.#states.forEach((paces, persona) =>
      paces.forEach((states, pace) => {
        const weight = Math.exp((this.#weights[persona]?.[pace] ?? 0) - top) / total;
        states.forEach((chance, state) => visit(weight * chance, persona, pace, state));
      }),
    );
  }

  #observeTypes(persona: number, types: Uint8Array): void {
    const first = this.life.registeredDay >= this.#startDay ? FIRST_TYPES[persona] : LATER_TYPES[persona];
    let before = this.#lastType;
    let evidence = 0;
    for (const type of types) {
      const chances = before === undefined ? first : NEXT_TYPES[persona]?.[before];
      evidence += Math.log(chances?.[type] ?? 0);
      before = type;
    }
    for (let pace = 0; pace < PACES.length; pace += 1) this.#addEvidence(persona, pace, evidence);
  }

  #addEvidence(persona: number, pace: number, evidence: number): void {
    const weights = this.#weights[persona];
    if (weights !== undefined) weights[pace] = (weights[pace] ?? 0) + evidence;
  }
}

/** Moves the chances of the states one day on, in place. */
function advance(states: Float64Array, transitions: readonly number[]): void {
  const [a = 0, b = 0, c = 0, d = 0] = states;
  for (let to = 0; to < STATES; to += 1) {
    states[to] =
      a * (transitions[to] ?? 0) +
      b * (transitions[STATES + to] ?? 0) +
      c * (transitions[2 * STATES + to] ?? 0) +
      d * (transitions[3 * STATES + to] ?? 0);
  }
}

/** Chance of each event type after `lastType` for a persona. */
export function nextTypeChances(persona: number, lastType: number): readonly number[] {
  return NEXT_TYPES[persona]?.[lastType] ?? [];
}
