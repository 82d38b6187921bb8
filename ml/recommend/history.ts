import { strengthOf } from './interactions.js';
import type { Strength } from './interactions.js';

/** What someone has taken, in any order; entries of one item count together. */
export interface History {
  /** Indices of items; those out of range, such as -1 for an id that the model does not know, are passed over. */
  items: ArrayLike<number>;
  /** Above 0, default 1 each. */
  weights?: ArrayLike<number>;
  /** In the unit that the model was trained in. */
  times?: ArrayLike<number>;
}

/** A history as a model reads it: each item once, with its strength faded by age. */
export interface WeighedHistory {
  items: number[];
  weights: number[];
}

/** How a model reads histories. */
export interface HistoryReading {
  strength: Strength;
  /** Age after which an entry counts half, in the unit of the times; Infinity where age does not matter. */
  halfLife: number;
}

/** Of longer histories the latest entries count: beyond this they cost time and change no answer. */
const MOST_ENTRIES = 1000;

/**
 * Merges a history's entries and fades them by their age before its latest one.
 * @param items of the model
 * @throws RangeError for columns of unequal length, weights that are not above 0, times that are not finite
 */
export function weighHistory(history: History, reading: HistoryReading, items: number): WeighedHistory {
  const { items: item, weights, times } = history;
  for (const [name, column] of Object.entries({ weights, times })) {
    if (column && column.length !== item.length)
      throw new RangeError(`the history has ${item.length} items but ${column.length} ${name}`);
  }
  const merged = new Map<number, { weight: number; time: number }>();
  for (let h = 0; h < item.length; h++) {
    const i = item[h]!;
    const weight = weights?.[h] ?? 1;
    const time = times?.[h] ?? 0;
    if (!(weight > 0 && weight < Infinity)) throw new RangeError(`entry ${h} of the history has the weight ${weight}`);
    if (!Number.isFinite(time)) throw new RangeError(`entry ${h} of the history has the time ${time}`);
    if (!(Number.isInteger(i) && i >= 0 && i < items)) continue;
    const before = merged.get(i);
    merged.set(i, { weight: weight + (before?.weight ?? 0), time: Math.max(time, before?.time ?? -Infinity) });
  }
  // In an order of their own, so that sums come out the same to the bit in whatever order the entries came.
  let entries = [...merged].sort(([a, x], [b, y]) => x.time - y.time || a - b);
  entries = entries.slice(-MOST_ENTRIES);
  const last = entries.at(-1)?.[1].time ?? 0;
  return {
    items: entries.map(([i]) => i),
    weights: entries.map(([, { weight, time }]) => {
      // Never quite 0, which would be as if the item had not been taken.
      const fade = Math.max(2 ** ((time - last) / reading.halfLife), 1e-9);
      return strengthOf(weight, reading.strength) * fade;
    }),
  };
}
