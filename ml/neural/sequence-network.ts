import { nextClasses } from './event-sequences.js';
import { layOutWeights } from './weight-layout.js';
import type { WeightLayout } from './weight-layout.js';

/** What a sequence network looks like; plain JSON. */
export interface SequenceDescription {
  kind: 'sequence';
  activities: number;
  hasEnd: boolean;
  /** Numbers that stand for one activity. */
  width: number;
  /** Numbers that the network remembers from event to event. */
  hidden: number;
  /** Only so many last events are looked at. */
  longest: number;
}

/** A trained network: numbers and their description, nothing of TensorFlow. */
export interface SequenceNetwork {
  readonly description: SequenceDescription;
  readonly weights: Float32Array;
}

/** Numbers of an event beside its activity: time since the one before and since the first, hour, weekday, position. */
export const EVENT_FEATURES = 8;
const MS_PER_DAY = 86_400_000;

/** A gated recurrent unit (Cho et al. 2014) with a direct way from the last activity to the answer. */
export function layOutSequence(description: SequenceDescription): WeightLayout {
  const { activities, width, hidden } = description;
  const classes = nextClasses(description);
  return layOutWeights([
    ['embedding', activities + 1, width],
    ['gru.input', width + EVENT_FEATURES, 3 * hidden],
    ['gru.input.bias', 1, 3 * hidden],
    ['gru.state', hidden, 3 * hidden],
    ['gru.state.bias', 1, 3 * hidden],
    ['output', hidden, classes],
    ['output.bias', 1, classes],
    ['wide', activities + 1, classes],
  ]);
}

/** Says what makes a description one that no network can have, or nothing. */
export function describeSequenceProblem(description: SequenceDescription): string | undefined {
  const { activities, hasEnd, width, hidden, longest } = description;
  for (const [name, value] of Object.entries({ activities, width, hidden, longest }))
    if (!(Number.isInteger(value) && value >= 1 && value <= 65_534)) return `its ${name} is ${value}`;
  return typeof hasEnd === 'boolean' ? undefined : 'it does not say whether sequences end';
}

/**
 * What is known of an event beside its activity, each about -1 to 2; all 0 before the first event.
 * @param position the event's place from 0, `time` and the others in milliseconds, NaN = not known
 */
export function writeEventFeatures(
  position: number,
  first: number,
  before: number,
  time: number,
  out: Float32Array,
  at: number,
): void {
  const seconds = (ms: number): number => (ms > 0 ? Math.log1p(ms / 1000) / 10 : 0);
  out[at] = seconds(time - before);
  out[at + 1] = seconds(time - first);
  const isKnown = Number.isFinite(time);
  const day = isKnown ? (2 * Math.PI * time) / MS_PER_DAY : 0;
  out[at + 2] = isKnown ? Math.sin(day) : 0;
  out[at + 3] = isKnown ? Math.cos(day) : 0;
  out[at + 4] = isKnown ? Math.sin(day / 7) : 0;
  out[at + 5] = isKnown ? Math.cos(day / 7) : 0;
  out[at + 6] = isKnown ? 1 : 0;
  out[at + 7] = Math.log1p(position) / 3;
}
