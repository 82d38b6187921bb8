/** What some entities did, one after another: events `offsets[i]` to `offsets[i + 1] - 1` are those of entity `i`. */
export interface EventSequences {
  /** How many activities there are; their codes are 0 to `activities - 1`. */
  activities: number;
  /** One more than there are sequences. Sequences are ordered in time, the oldest first. */
  offsets: Uint32Array;
  codes: Int32Array;
  /** Milliseconds since 1970 of each event, NaN = not known. */
  times: Float64Array;
  /** Learn also that a sequence ends: class `activities` follows the last event of those that ended. */
  hasEnd: boolean;
  /** 1 for each sequence that is over; default: all are. */
  ended?: Uint8Array;
}

/** How many answers there are: the activities, and the end where it is learnt. */
export function nextClasses({ activities, hasEnd }: { activities: number; hasEnd: boolean }): number {
  return activities + (hasEnd ? 1 : 0);
}

export function sequenceCount(sequences: EventSequences): number {
  return sequences.offsets.length - 1;
}

/** How often something is to be predicted in a sequence: before each event, and once more where its end is known. */
export function predictionsOf(sequences: EventSequences, index: number): number {
  const events = sequences.offsets[index + 1]! - sequences.offsets[index]!;
  const isEnded = sequences.ended === undefined || sequences.ended[index] === 1;
  return events + (sequences.hasEnd && isEnded ? 1 : 0);
}

/** What follows the first `position` events of a sequence. */
export function nextOf(sequences: EventSequences, index: number, position: number): number {
  const at = sequences.offsets[index]! + position;
  return at < sequences.offsets[index + 1]! ? sequences.codes[at]! : sequences.activities;
}

/**
 * @throws RangeError for sequences that contradict themselves, or that have nothing to predict
 */
export function checkSequences(sequences: EventSequences): void {
  const { activities, offsets, codes, times, ended } = sequences;
  if (!(Number.isInteger(activities) && activities >= 1 && activities <= 65_534))
    throw new RangeError(`there must be 1 to 65534 activities, got ${activities}`);
  if (offsets.length < 2 || offsets[0] !== 0 || offsets.at(-1) !== codes.length || times.length !== codes.length)
    throw new RangeError(
      `offsets must begin at 0 and end at the ${codes.length} events, each with a time; got ${offsets.length} offsets and ${times.length} times`,
    );
  if (ended && ended.length !== offsets.length - 1)
    throw new RangeError(`ended has ${ended.length} entries for ${offsets.length - 1} sequences`);
  for (let i = 1; i < offsets.length; i++)
    if (offsets[i]! < offsets[i - 1]!) throw new RangeError(`sequence ${i - 1} ends before it begins`);
  const wrong = codes.find((code) => !(code >= 0 && code < activities));
  if (wrong !== undefined) throw new RangeError(`${wrong} is no activity of 0 to ${activities - 1}`);
  for (let i = 0; i < offsets.length - 1; i++) if (predictionsOf(sequences, i) > 0) return;
  throw new RangeError('the sequences have no events: there is nothing to learn');
}

/** The sequences from `start` to `end - 1`. */
export function sliceSequences(sequences: EventSequences, start: number, end: number): EventSequences {
  const first = sequences.offsets[start]!;
  const last = sequences.offsets[end]!;
  return {
    ...sequences,
    offsets: sequences.offsets.slice(start, end + 1).map((offset) => offset - first),
    codes: sequences.codes.slice(first, last),
    times: sequences.times.slice(first, last),
    ...(sequences.ended ? { ended: sequences.ended.slice(start, end) } : {}),
  };
}

/**
 * How much each sequence counts when later ones count more: half as much for every `halfLife` sequences that came after it;
 * Infinity = all the same.
 */
export function recencyWeights(sequences: number, halfLife: number): Float64Array {
  return Float64Array.from({ length: sequences }, (_, i) => 2 ** (-(sequences - 1 - i) / halfLife));
}
