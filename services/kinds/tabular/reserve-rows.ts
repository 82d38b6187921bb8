import { assignFolds } from '../../../ml/evaluate/folds.js';
import type { TrainingTable } from './training-table.js';

/** One in so many training rows is kept from a search. */
const PARTS = 5;
/** With fewer training rows a part of them could not tell one model from another, and a search is better off with all. */
const LEAST_ROWS = 100;

/**
 * Which training rows no trial of a search sees, so that its finalists can be compared on them: a fifth, rows of one entity together; of a
 * table in order of time the latest. Follows from table and seed alone. None of a table that is too small.
 * @returns by row of the table 1 where it is kept
 */
export function reserveRows(table: TrainingTable, seed: number): Uint8Array {
  const training = [...table.isHeldOut.keys()].filter((row) => table.isHeldOut[row] === 0);
  const kept = new Uint8Array(table.rows);
  const groups = training.map((row) => table.groups[row]!);
  if (training.length < LEAST_ROWS || new Set(groups).size < PARTS) return kept;
  const first = table.targets[0]!.y;
  const labels = training.map((row) => first[row]!);
  const parts = table.isInTime
    ? training.map((_, at) => Math.floor((at * PARTS) / training.length))
    : // Other parts than those that the trials are judged in.
      assignFolds(training.length, PARTS, {
        seed: (seed ^ 0x5e1ec7) >>> 0,
        groups,
        ...(labels.some(Number.isNaN) ? {} : { labels }),
      });
  training.forEach((row, at) => (kept[row] = Number(parts[at] === PARTS - 1)));
  return kept;
}
