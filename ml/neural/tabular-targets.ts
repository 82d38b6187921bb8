import { headScores } from './tabular-network.js';
import type { TabularHead } from './tabular-network.js';
import { targetWidth } from './tabular-graph.js';
import type { HeadTargets } from './tabular-graph.js';

/** One thing to learn. */
export interface TabularHeadInput {
  name: string;
  kind: TabularHead['kind'];
  /** Of multiclass and ordered heads: how many there are. */
  classes?: number;
  /** A row each: the class number, or the number itself; NaN = not known, which leaves the row out of this head only. */
  truth: ArrayLike<number>;
  /** How much it counts beside the other heads; default 1. */
  weight?: number;
}

/** A head with its truths on the scale of its scores. */
export interface PreparedHead {
  head: TabularHead;
  truth: ArrayLike<number>;
  weight: number;
}

/**
 * Checks the truths of a head, and learns from the training rows how its numbers are scaled.
 * @throws RangeError naming the head
 */
export function makeHead(input: TabularHeadInput, rows: number, trainingRows: Uint32Array): PreparedHead {
  const { name, kind, truth, weight = 1 } = input;
  const say = (what: string): RangeError => new RangeError(`head "${name}" ${what}`);
  if (truth.length !== rows) throw say(`has ${truth.length} truths for ${rows} rows`);
  if (!(weight > 0 && Number.isFinite(weight))) throw say(`has the weight ${weight}, which must be above 0`);
  const classes = kind === 'binary' ? 2 : (input.classes ?? 0);
  if (kind === 'multiclass' && !(Number.isInteger(classes) && classes >= 1 && classes <= 65_536))
    throw say('needs the number of its classes, 1 to 65536');
  if (kind === 'ordered' && !(Number.isInteger(classes) && classes >= 2 && classes <= 65_536))
    throw say('needs the number of its classes, 2 to 65536');
  for (let row = 0; row < rows; row++) {
    const value = truth[row]!;
    if (Number.isNaN(value)) continue;
    if (kind === 'regression' ? !Number.isFinite(value) : !(Number.isInteger(value) && value >= 0 && value < classes))
      throw say(
        `has the truth ${value} in row ${row}, which is ${kind === 'regression' ? 'no finite number' : `no class of 0 to ${classes - 1}`}`,
      );
  }
  const known = Float64Array.from(trainingRows, (row) => truth[row]!).filter((value) => !Number.isNaN(value));
  if (known.length === 0) throw say('has no training row with a truth: leave the head out or give it truths');
  if (kind === 'binary') return { head: { name, kind }, truth, weight };
  if (kind !== 'regression') return { head: { name, kind, classes }, truth, weight };
  const centre = known.reduce((sum, value) => sum + value / known.length, 0);
  const scale = Math.sqrt(known.reduce((sum, value) => sum + (value - centre) ** 2 / known.length, 0));
  // Truths that never differ are answered by the centre; a scale of 1 keeps the arithmetic sound.
  return { head: { name, kind, centre, scale: scale > 0 && Number.isFinite(scale) ? scale : 1 }, truth, weight };
}

/** The truths of some rows as the loss wants them. */
export function selectTargets({ head, truth }: PreparedHead, rows: Uint32Array): HeadTargets {
  const width = targetWidth(head);
  const values = new Float32Array(rows.length * width);
  const known = new Float32Array(rows.length);
  let knownRows = 0;
  rows.forEach((row, i) => {
    const value = truth[row]!;
    if (Number.isNaN(value)) return;
    known[i] = 1;
    knownRows++;
    if (head.kind === 'multiclass') values[i * width + value] = 1;
    else if (head.kind === 'ordered') values.fill(1, i * width, i * width + value);
    else values[i] = head.kind === 'regression' ? (value - head.centre) / head.scale : value;
  });
  return { values, known, knownRows };
}

/** Scores with which a network that has learnt nothing answers the base rates: biases, or the thresholds of an ordered head. */
export function startHead({ head, truth }: PreparedHead, rows: Uint32Array): Float32Array {
  if (head.kind === 'regression') return new Float32Array(1);
  const classes = head.kind === 'binary' ? 2 : head.classes;
  // Half a row more for each class, so that one never seen has no infinite score.
  const counts = new Float64Array(classes).fill(0.5);
  for (const row of rows) if (!Number.isNaN(truth[row]!)) counts[truth[row]!]!++;
  if (head.kind === 'binary') return Float32Array.of(Math.log(counts[1]! / counts[0]!));
  if (head.kind === 'multiclass') {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return Float32Array.from({ length: headScores(head) }, (_, c) => Math.log(counts[c]! / total));
  }
  return startThresholds(counts);
}

function startThresholds(counts: Float64Array): Float32Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const raw = new Float32Array(counts.length - 1);
  let below = 0;
  let last = 0;
  for (let k = 0; k < raw.length; k++) {
    below += counts[k]!;
    const threshold = Math.log(below / (total - below));
    raw[k] = k === 0 ? threshold : Math.log(Math.max(1e-3, threshold - last));
    last = threshold;
  }
  return raw;
}
