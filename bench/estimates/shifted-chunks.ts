import { createPrng } from '../../ml/random/prng.js';
import type { AnsweredSet } from './answered-set.js';

const CHUNK_ROWS = 2000;
const SHIFTED_COLUMNS = 4;
/** A row at one end of the column is drawn e³ times as often as one at the other. */
const TILT = 3;

/**
 * Chunks whose inputs are shifted: of each of the four numbers with the most different values one with more of its large values, and one with more of
 * its small ones. Rows are drawn by their inputs alone, so that what they mean stays as it was.
 */
export function shiftedChunks({ rows, numbers, isReference }: AnsweredSet): Uint32Array[] {
  const pool = Array.from({ length: rows }, (_, row) => row).filter((row) => !isReference(row));
  const size = Math.min(CHUNK_ROWS, Math.floor(pool.length / 2));
  return numbers.slice(0, SHIFTED_COLUMNS).flatMap(({ values }, column) => {
    const ranked = pool.toSorted((a, b) => (values[a] || 0) - (values[b] || 0));
    return [TILT, -TILT].map((tilt) => {
      const prng = createPrng(11, column, tilt + TILT);
      // Drawn without replacement, each with its weight (Efraimidis and Spirakis 2006).
      const keyed = ranked.map((row, rank) => ({
        row,
        key: Math.log(1 - prng.next()) / Math.exp((tilt * rank) / ranked.length),
      }));
      return Uint32Array.from(
        keyed
          .toSorted((a, b) => b.key - a.key)
          .slice(0, size)
          .map(({ row }) => row),
      );
    });
  });
}

/** All rows but the reference, one chunk after another in their order. */
export function timedChunks({ rows, isReference }: AnsweredSet): Uint32Array[] {
  const pool = Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => !isReference(row));
  return Array.from({ length: Math.floor(pool.length / CHUNK_ROWS) }, (_, at) =>
    pool.slice(at * CHUNK_ROWS, (at + 1) * CHUNK_ROWS),
  );
}
