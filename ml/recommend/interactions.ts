/**
 * Who took what, one row a user (compressed sparse rows): user `u` has the entries `offsets[u]` to `offsets[u + 1]`, each item
 * once, the latest last. Without times the items of a user stand in ascending order and that order says nothing.
 */
export interface Interactions {
  readonly users: number;
  readonly items: number;
  /** `users + 1` numbers. */
  readonly offsets: Int32Array;
  /** Index of the item, 0 to `items - 1`. */
  readonly item: Int32Array;
  /** Above 0: how often or how strongly. */
  readonly weight: Float64Array;
  /** When it happened last, in any unit; 0 everywhere without times. */
  readonly time: Float64Array;
  readonly hasTimes: boolean;
}

/** Events as parallel columns, in any order. */
export interface InteractionEvents {
  users: number;
  items: number;
  user: ArrayLike<number>;
  item: ArrayLike<number>;
  /** Default 1 each. Two events of one user and item count as one of their summed weight. */
  weight?: ArrayLike<number>;
  time?: ArrayLike<number>;
}

/**
 * Sorts events into rows and merges those of one user and item: weights are added, the latest time stays.
 * @throws RangeError for indices out of range, weights that are not above 0, times that are not finite, columns of unequal length
 */
export function buildInteractions(events: InteractionEvents): Interactions {
  checkEvents(events);
  const { users, items, user, item, weight, time } = events;
  const order = Int32Array.from({ length: user.length }, (_, event) => event);
  order.sort((a, b) => user[a]! - user[b]! || item[a]! - item[b]!);
  const merged: Merged = {
    user: new Int32Array(order.length),
    item: new Int32Array(order.length),
    weight: new Float64Array(order.length),
    time: new Float64Array(order.length),
  };
  let count = 0;
  for (const event of order) {
    const isSame = count > 0 && merged.user[count - 1] === user[event] && merged.item[count - 1] === item[event];
    const at = isSame ? count - 1 : count++;
    const happened = time?.[event] ?? 0;
    merged.user[at] = user[event]!;
    merged.item[at] = item[event]!;
    merged.weight[at] = (isSame ? merged.weight[at]! : 0) + (weight?.[event] ?? 1);
    merged.time[at] = isSame ? Math.max(merged.time[at]!, happened) : happened;
  }
  return rowsOf(merged, count, users, items);
}

interface Merged {
  user: Int32Array;
  item: Int32Array;
  weight: Float64Array;
  time: Float64Array;
}

function rowsOf(merged: Merged, count: number, users: number, items: number): Interactions {
  const order = Int32Array.from({ length: count }, (_, at) => at);
  order.sort(
    (a, b) =>
      merged.user[a]! - merged.user[b]! || merged.time[a]! - merged.time[b]! || merged.item[a]! - merged.item[b]!,
  );
  const offsets = new Int32Array(users + 1);
  for (const at of order) offsets[merged.user[at]! + 1]!++;
  for (let u = 0; u < users; u++) offsets[u + 1]! += offsets[u]!;
  const time = Float64Array.from(order, (at) => merged.time[at]!);
  return {
    users,
    items,
    offsets,
    item: Int32Array.from(order, (at) => merged.item[at]!),
    weight: Float64Array.from(order, (at) => merged.weight[at]!),
    time,
    hasTimes: time.some((value) => value !== time[0]),
  };
}

function checkEvents({ users, items, user, item, weight, time }: InteractionEvents): void {
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 31;
  if (!isCount(users) || !isCount(items))
    throw new RangeError(`users and items must be whole numbers from 0 on, got ${users} and ${items}`);
  for (const [name, column] of Object.entries({ item, weight, time })) {
    if (column && column.length !== user.length)
      throw new RangeError(`the column ${name} has ${column.length} events, the column user has ${user.length}`);
  }
  for (let event = 0; event < user.length; event++) {
    const [u, i] = [user[event]!, item[event]!];
    if (!(Number.isInteger(u) && u >= 0 && u < users))
      throw new RangeError(`event ${event} has the user ${u}: give an index from 0 to ${users - 1}`);
    if (!(Number.isInteger(i) && i >= 0 && i < items))
      throw new RangeError(`event ${event} has the item ${i}: give an index from 0 to ${items - 1}`);
    const w = weight?.[event] ?? 1;
    if (!(w > 0 && w < Infinity)) throw new RangeError(`event ${event} has the weight ${w}: give a number above 0`);
    if (time && !Number.isFinite(time[event])) throw new RangeError(`event ${event} has the time ${time[event]}`);
  }
}

/**
 * Some of the interactions, in their order; users who keep none stay as users without any.
 * @param isKept is asked with the place of each interaction and its user
 */
export function selectInteractions(
  interactions: Interactions,
  isKept: (at: number, user: number) => boolean,
): Interactions {
  const { users, offsets, item, weight, time } = interactions;
  const kept: number[] = [];
  const keptOffsets = new Int32Array(users + 1);
  for (let user = 0; user < users; user++) {
    for (let at = offsets[user]!; at < offsets[user + 1]!; at++) if (isKept(at, user)) kept.push(at);
    keptOffsets[user + 1] = kept.length;
  }
  return {
    ...interactions,
    offsets: keptOffsets,
    item: Int32Array.from(kept, (at) => item[at]!),
    weight: Float64Array.from(kept, (at) => weight[at]!),
    time: Float64Array.from(kept, (at) => time[at]!),
  };
}

/** What the weight of an interaction means to a model: nothing beyond its presence, or log2(1 + weight). */
export type Strength = 'presence' | 'log';

/** The number that a model reads in place of a weight; 1 for a weight of 1 either way. */
export function strengthOf(weight: number, strength: Strength): number {
  return strength === 'presence' ? 1 : Math.log2(1 + weight);
}

/** The same interactions with weights as the models read them. */
export function withStrength(interactions: Interactions, strength: Strength): Interactions {
  return { ...interactions, weight: interactions.weight.map((weight) => strengthOf(weight, strength)) };
}

/** The same interactions seen from the items: item `i` was taken by `user[offsets[i]]` to `user[offsets[i + 1] - 1]`. */
export interface InteractionsByItem {
  offsets: Int32Array;
  user: Int32Array;
  weight: Float64Array;
}

export function byItem({ users, items, offsets, item, weight }: Interactions): InteractionsByItem {
  const result = {
    offsets: new Int32Array(items + 1),
    user: new Int32Array(item.length),
    weight: new Float64Array(item.length),
  };
  for (const i of item) result.offsets[i + 1]!++;
  for (let i = 0; i < items; i++) result.offsets[i + 1]! += result.offsets[i]!;
  const next = result.offsets.slice(0, items);
  for (let user = 0; user < users; user++) {
    for (let at = offsets[user]!; at < offsets[user + 1]!; at++) {
      const place = next[item[at]!]!++;
      result.user[place] = user;
      result.weight[place] = weight[at]!;
    }
  }
  return result;
}
