import type { FeatureMatrix } from '../matrix.js';
import { TreeWalker, type WalkedTrees } from './tree-walker.js';
import { BLOCK_ROWS } from './walk-kernels.js';

/** Trees are laid out for a pattern of missing columns once as many rows have had it: that costs as much as answering them. */
const ROWS_BEFORE_LAYOUT = 256;
const MOST_LAYOUTS = 4;
const MOST_PATTERNS = 64;

/** Which columns are missing, of those that the trees look at. */
type Pattern = number | string;

interface Sighted {
  rows: number;
  walker: TreeWalker | undefined;
}

/** Gives out the walker for rows by what is missing in them. */
export interface Walkers {
  forRow: (row: Float64Array) => TreeWalker;
  forMatrix: (x: FeatureMatrix) => TreeWalker;
}

/**
 * Whoever asks a model tends to leave out the same columns every time. Where a column is missing in all rows, so is the question
 * that a node asks about it, and what is left of the trees is a fraction of them. Their answers are the same to the bit.
 */
export function createWalkers(trees: WalkedTrees): Walkers {
  const columns = Int32Array.from(new Set(trees.feature.filter((column) => column >= 0))).sort();
  const whole = new TreeWalker(trees, () => false);
  const patterns = new Map<Pattern, Sighted>();
  const nothing = patternOf(columns, () => false);

  function find(pattern: Pattern, rows: number): TreeWalker {
    if (pattern === nothing) return whole;
    let sighted = patterns.get(pattern);
    if (!sighted) {
      if (patterns.size === MOST_PATTERNS) patterns.clear();
      patterns.set(pattern, (sighted = { rows: 0, walker: undefined }));
    }
    sighted.rows += rows;
    if (sighted.walker) return sighted.walker;
    return sighted.rows < ROWS_BEFORE_LAYOUT ? whole : layOut(pattern, sighted);
  }

  function layOut(pattern: Pattern, sighted: Sighted): TreeWalker {
    const laidOut = [...patterns.values()].filter(({ walker }) => walker);
    if (laidOut.length === MOST_LAYOUTS) {
      const least = laidOut.reduce((a, b) => (b.rows < a.rows ? b : a));
      least.walker = undefined;
      least.rows = 0;
      for (const one of laidOut) one.rows /= 2;
    }
    const missing = new Set(columns.filter((_, at) => isMarked(pattern, at)));
    return (sighted.walker = new TreeWalker(trees, (column) => missing.has(column)));
  }

  return {
    forRow: (row) =>
      find(
        patternOf(columns, (column) => row[column]! !== row[column]!),
        1,
      ),
    forMatrix: (x) =>
      find(
        patternOf(columns, (column) => isAllMissing(x, column)),
        x.rows,
      ),
  };
}

/** Columns that go into a number, or into a letter. */
const NUMBER_BITS = 30;
const LETTER_BITS = 15;

function patternOf(columns: Int32Array, isMissing: (column: number) => boolean): Pattern {
  let bits = 0;
  if (columns.length <= NUMBER_BITS) {
    for (let at = 0; at < columns.length; at++) if (isMissing(columns[at]!)) bits |= 1 << at;
    return bits;
  }
  let letters = '';
  for (let at = 0; at < columns.length; at++) {
    if (isMissing(columns[at]!)) bits |= 1 << (at % LETTER_BITS);
    if (at % LETTER_BITS < LETTER_BITS - 1 && at < columns.length - 1) continue;
    letters += String.fromCharCode(bits);
    bits = 0;
  }
  return letters;
}

function isMarked(pattern: Pattern, at: number): boolean {
  const bits =
    typeof pattern === 'number'
      ? pattern >> at
      : pattern.charCodeAt(Math.floor(at / LETTER_BITS)) >> (at % LETTER_BITS);
  return (bits & 1) === 1;
}

function isAllMissing({ rows, values }: FeatureMatrix, column: number): boolean {
  for (let at = column * rows; at < (column + 1) * rows; at++) if (!Number.isNaN(values[at])) return false;
  return rows > 0;
}

/** Sums what the trees answer to every row: `out[row * outputs + output]`. */
export function sumMatrix(walkers: Walkers, x: FeatureMatrix, out: Float64Array): void {
  const walker = walkers.forMatrix(x);
  for (let start = 0; start < x.rows; start += BLOCK_ROWS)
    walker.sumRows(x, start, Math.min(x.rows, start + BLOCK_ROWS), out);
}
