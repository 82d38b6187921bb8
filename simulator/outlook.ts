import { isWeekend } from './simulation-parameters.js';
import { dailyCountChances, ENGAGEMENT_STATES, PACES, PERSONAS, transitionMatrix } from './user-model.js';

/** What the horizon holds for someone in a known state: chances that are exact, not sampled. */
export interface Outlook {
  /** Chance of no event at all. */
  churn: number;
  /** Chances of the engagement levels low, medium and high; they sum to 1. */
  levels: readonly [number, number, number];
}

export interface HorizonDefinition {
  /** Days that labels look ahead. */
  horizonDays: number;
  /** Events in the horizon from which on engagement is medium, and high. */
  mediumFrom: number;
  highFrom: number;
}

/** Gives the outlook from the state on the day before `day` (a day number), for a persona and a pace (indexes). */
export type OutlookTable = (persona: number, pace: number, day: number, state: number) => Outlook;

/**
 * Works out every outlook by going through the horizon from its last day to its first. For the engagement level the walk is
 * over (state, events so far, counted up to `highFrom`), for churn over the state alone.
 */
export function buildOutlookTable(definition: HorizonDefinition): OutlookTable {
  const tables = PERSONAS.map((persona) => {
    const transitions = transitionMatrix(persona);
    return PACES.map((pace) =>
      Array.from({ length: 7 }, (_, weekday) => outlooksFrom(definition, transitions, pace, weekday)),
    );
  });
  return (persona, pace, day, state) => {
    const outlook = tables[persona]?.[pace]?.[((day % 7) + 7) % 7]?.[state];
    if (outlook === undefined)
      throw new RangeError(`There is no outlook for persona ${persona}, pace ${pace}, state ${state}.`);
    return outlook;
  };
}

const STATES = ENGAGEMENT_STATES.length;

/** Outlooks by the state on the day before a horizon that begins on a day number equal to `weekday` modulo 7. */
function outlooksFrom(
  definition: HorizonDefinition,
  transitions: number[][],
  pace: number,
  weekday: number,
): Outlook[] {
  const { horizonDays, mediumFrom, highFrom } = definition;
  const cap = Math.ceil(highFrom);
  const width = cap + 1;
  const chances = [false, true].map((weekend) =>
    ENGAGEMENT_STATES.map((_, state) => withoutTail(dailyCountChances(state, weekend, pace))),
  );
  let low = filled(width, (events) => (events < mediumFrom ? 1 : 0));
  let high = filled(width, (events) => (events >= highFrom ? 1 : 0));
  let quiet: Float64Array = Float64Array.from({ length: STATES }, () => 1);
  for (let ahead = horizonDays - 1; ahead >= 0; ahead -= 1) {
    const today = chances[isWeekend(weekday + ahead) ? 1 : 0] ?? [];
    low = stepBack(low, transitions, today, width);
    high = stepBack(high, transitions, today, width);
    quiet = mix(
      transitions,
      quiet.map((chance, state) => chance * (today[state]?.[0] ?? 0)),
    );
  }
  return ENGAGEMENT_STATES.map((_, state) => {
    const atLow = low[state * width] ?? 0;
    const atHigh = high[state * width] ?? 0;
    return { churn: quiet[state] ?? 0, levels: [atLow, 1 - atLow - atHigh, atHigh] as const };
  });
}

/** Leaves out the last counts, where their chances are too small to tell in a double. */
function withoutTail(chances: Float64Array): Float64Array {
  return chances.subarray(0, chances.findLastIndex((chance) => chance > 1e-17) + 1);
}

function filled(width: number, value: (events: number) => number): Float64Array {
  return Float64Array.from({ length: STATES * width }, (_, i) => value(i % width));
}

/** One day back: the value of (state yesterday, events so far) from the values of (state today, events after today). */
function stepBack(
  values: Float64Array,
  transitions: number[][],
  today: readonly Float64Array[],
  width: number,
): Float64Array {
  const expected = new Float64Array(values.length);
  today.forEach((chances, state) => {
    for (let events = 0; events < width; events += 1) {
      let sum = 0;
      for (let count = 0; count < chances.length; count += 1) {
        sum += (chances[count] ?? 0) * (values[state * width + Math.min(width - 1, events + count)] ?? 0);
      }
      expected[state * width + events] = sum;
    }
  });
  const before = new Float64Array(values.length);
  for (let from = 0; from < STATES; from += 1) {
    for (let to = 0; to < STATES; to += 1) {
      const chance = transitions[from]?.[to] ?? 0;
      for (let events = 0; events < width; events += 1) {
        before[from * width + events] =
          (before[from * width + events] ?? 0) + chance * (expected[to * width + events] ?? 0);
      }
    }
  }
  return before;
}

/** Expectation of a value of today's state, by yesterday's state. */
function mix(transitions: number[][], values: Float64Array): Float64Array {
  return Float64Array.from(transitions, (row) => row.reduce((sum, chance, to) => sum + chance * (values[to] ?? 0), 0));
}
