import {
  checkSequences,
  nextClasses,
  nextOf,
  predictionsOf,
  recencyWeights,
  sequenceCount,
} from './event-sequences.js';
import type { EventSequences } from './event-sequences.js';

/** What a chain is; plain JSON. */
export interface MarkovDescription {
  kind: 'markov';
  activities: number;
  hasEnd: boolean;
  /** How many events back it looks. */
  order: number;
  /** After how many later sequences one counts half; null = all count the same. */
  halfLife: number | null;
}

/**
 * How often what followed what. For each length of context from 0 to `order`: the number of contexts, then for each its events
 * (-1 = before the first), the number of followers, and the followers; `counts` has a number for each follower, in the same order.
 */
export interface MarkovChain {
  readonly description: MarkovDescription;
  readonly codes: Int32Array;
  readonly counts: Float32Array;
}

const HIGHEST_ORDER = 3;

/**
 * Counts what follows the last `order` events, and shorter contexts for those never seen. With a half-life later sequences
 * count more, so that the chain follows a process that changes.
 * @param options.order 0 to 3
 * @param options.halfLife in sequences, above 0; default Infinity
 * @throws RangeError for an order or half-life out of range, and for sequences without events
 */
export function fitMarkovChain(sequences: EventSequences, options: { order: number; halfLife?: number }): MarkovChain {
  checkSequences(sequences);
  const { order, halfLife = Infinity } = options;
  if (!(Number.isInteger(order) && order >= 0 && order <= HIGHEST_ORDER))
    throw new RangeError(`the order must be 0 to ${HIGHEST_ORDER}, got ${order}`);
  if (!(halfLife > 0)) throw new RangeError(`the half-life must be above 0 sequences, got ${halfLife}`);
  const weights = recencyWeights(sequenceCount(sequences), halfLife);
  const tables = Array.from({ length: order + 1 }, () => new Map<number, Map<number, number>>());
  for (let i = 0; i < weights.length; i++) {
    // Below what a 32-bit number can tell from nothing.
    if (weights[i]! < 1e-30) continue;
    const start = sequences.offsets[i]!;
    for (let position = 0; position < predictionsOf(sequences, i); position++) {
      const next = nextOf(sequences, i, position);
      for (let length = 0; length <= order; length++) {
        const key = keyOf(sequences.codes, start, start + position, length, sequences.activities);
        const followers = tables[length]!.get(key) ?? new Map<number, number>();
        tables[length]!.set(key, followers);
        followers.set(next, (followers.get(next) ?? 0) + weights[i]!);
      }
    }
  }
  const { activities, hasEnd } = sequences;
  const kept = Number.isFinite(halfLife) ? halfLife : null;
  return { description: { kind: 'markov', activities, hasEnd, order, halfLife: kept }, ...flatten(tables, activities) };
}

/** A number for the `length` events before `end`; where the sequence is shorter, its beginning counts as an event. */
function keyOf(codes: ArrayLike<number>, start: number, end: number, length: number, activities: number): number {
  let key = 0;
  for (let i = end - length; i < end; i++) key = key * (activities + 1) + (i < start ? 0 : codes[i]! + 1);
  return key;
}

function flatten(
  tables: readonly Map<number, Map<number, number>>[],
  activities: number,
): { codes: Int32Array; counts: Float32Array } {
  const codes: number[] = [];
  const counts: number[] = [];
  tables.forEach((table, length) => {
    codes.push(table.size);
    for (const [key, followers] of [...table].sort((a, b) => a[0] - b[0])) {
      for (let i = length - 1; i >= 0; i--)
        codes.push((Math.floor(key / (activities + 1) ** i) % (activities + 1)) - 1);
      codes.push(followers.size);
      for (const [next, count] of [...followers].sort((a, b) => a[0] - b[0])) {
        codes.push(next);
        counts.push(count);
      }
    }
  });
  return { codes: Int32Array.from(codes), counts: Float32Array.from(counts) };
}

/** Where the followers of a context lie. */
interface Context {
  /** First in `codes`, first in `counts`, and how many. */
  code: number;
  count: number;
  followers: number;
  total: number;
}

const prepared = new WeakMap<MarkovChain, Map<number, Context>[]>();

/**
 * The probability of each class after a history. Contexts of growing length are mixed: the longer one counts the more, the
 * more often it was seen for each different event that followed it (Witten, Bell 1991, "The zero-frequency problem", method C).
 * @param history codes, oldest first; only the last `order` matter. Empty = before the first event
 * @param out receives `nextClasses` probabilities
 */
export function predictMarkovChain(chain: MarkovChain, history: ArrayLike<number>, out: Float64Array): void {
  const { activities, order } = chain.description;
  const classes = nextClasses(chain.description);
  const tables = prepare(chain);
  for (let c = 0; c < classes; c++) out[c] = 1 / classes;
  for (let length = 0; length <= order; length++) {
    const context = tables[length]!.get(keyOf(history, 0, history.length, length, activities));
    if (!context || context.total <= 0) break;
    const total = context.total + context.followers;
    for (let c = 0; c < classes; c++) out[c] = (out[c]! * context.followers) / total;
    for (let i = 0; i < context.followers; i++) {
      const next = chain.codes[context.code + i]!;
      out[next] = out[next]! + chain.counts[context.count + i]! / total;
    }
  }
}

function prepare(chain: MarkovChain): Map<number, Context>[] {
  const known = prepared.get(chain);
  if (known) return known;
  const tables = readContexts(chain);
  prepared.set(chain, tables);
  return tables;
}

function readContexts({ description, codes, counts }: MarkovChain): Map<number, Context>[] {
  const { activities, order } = description;
  const classes = nextClasses(description);
  let at = 0;
  let count = 0;
  const refuse = (): never => {
    throw new RangeError(`the chain's contexts do not fit its description, near number ${at}`);
  };
  const take = (least: number, most: number): number => {
    const value = codes[at];
    if (value === undefined || value < least || value > most) return refuse();
    at++;
    return value;
  };
  const tables = Array.from({ length: order + 1 }, (_, length) => {
    const table = new Map<number, Context>();
    for (let contexts = take(0, codes.length); contexts > 0; contexts--) {
      let key = 0;
      for (let i = 0; i < length; i++) key = key * (activities + 1) + take(-1, activities - 1) + 1;
      const followers = take(1, classes);
      const context: Context = { code: at, count, followers, total: 0 };
      for (let i = 0; i < followers; i++, count++) {
        take(0, classes - 1);
        if (!(counts[count]! >= 0)) refuse();
        context.total += counts[count]!;
      }
      table.set(key, context);
    }
    return table;
  });
  if (at !== codes.length || count !== counts.length) refuse();
  return tables;
}

/**
 * Says what makes a chain from a file one that cannot be followed, or nothing.
 */
export function describeMarkovProblem(chain: MarkovChain): string | undefined {
  const { activities, hasEnd, order, halfLife } = chain.description;
  if (!(Number.isInteger(activities) && activities >= 1 && activities <= 65_534))
    return `it has ${activities} activities`;
  if (typeof hasEnd !== 'boolean') return 'it does not say whether sequences end';
  if (!(Number.isInteger(order) && order >= 0 && order <= HIGHEST_ORDER)) return `it has the order ${order}`;
  if (halfLife !== null && !(halfLife > 0)) return `it has the half-life ${halfLife}`;
  try {
    prepare(chain);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
