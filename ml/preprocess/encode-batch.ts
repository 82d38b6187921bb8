import type { FeatureMatrix } from '../matrix.js';
import { describeProblem, type Reader } from './feature-reader.js';
import { encoderReaders, normalizeMatrix, type TableEncoder } from './table-encoder.js';

/** One feature of many rows, as columnar formats hold it. */
export type BatchColumn =
  /** NaN = missing. */
  | { name: string; kind: 'numbers'; values: Float64Array }
  /** `dictionary[codes[row]]`, -1 = missing. Each value of the dictionary is read once. */
  | { name: string; kind: 'codes'; codes: Int32Array; dictionary: readonly unknown[] }
  | { name: string; kind: 'values'; values: readonly unknown[] };

/** A value that could not be read. */
export interface BatchProblem {
  row: number;
  name: string;
  message: string;
}

/** A batch with more problems than this is told of the first ones. */
const MOST_PROBLEMS = 20;

/**
 * Encodes rows [start, end) of columns, each cell exactly as `encodeRow` encodes it, without an object a row.
 * @param columns found by name; one that is absent counts as missing, one that the encoder does not know is not looked at
 * @returns the matrix of these rows, and the first 20 values that could not be read (row numbers count from the batch's first)
 */
export function encodeBatch(
  encoder: TableEncoder,
  columns: readonly BatchColumn[],
  start: number,
  end: number,
): { matrix: FeatureMatrix; problems: BatchProblem[] } {
  const rows = end - start;
  const matrix = {
    rows,
    columns: encoder.columns.length,
    values: new Float64Array(rows * encoder.columns.length).fill(NaN),
  };
  const byName = new Map(columns.map((column) => [column.name, column]));
  const problems: BatchProblem[] = [];
  const cells = new Float64Array(encoder.columns.length);
  for (const reader of encoderReaders(encoder)) {
    const column = byName.get(reader.feature.name);
    if (!column) {
      // What a feature without a value becomes is the reader's to say: of a date it may be more than NaN.
      const isRead = reader.read(undefined, cells);
      if (isRead && isAllNaN(reader, cells)) continue;
      for (let row = 0; row < rows; row++) {
        writeCells(reader, cells, matrix, row);
        if (!isRead && problems.length < MOST_PROBLEMS)
          problems.push({ row, name: reader.feature.name, message: describeProblem(reader.feature, undefined) });
      }
      continue;
    }
    const report = (row: number, value: unknown) => {
      if (problems.length < MOST_PROBLEMS)
        problems.push({ row, name: column.name, message: describeProblem(reader.feature, value) });
    };
    if (column.kind === 'codes') encodeCodes(reader, column, start, matrix, report);
    else if (column.kind === 'numbers' && isPlainNumber(reader))
      copyNumbers(reader, column.values, start, matrix, report);
    else encodeValues(reader, column.values, start, matrix, report);
  }
  normalizeMatrix(encoder, matrix);
  return { matrix, problems };
}

/** A number that nothing is done with can be copied as it is. */
const isPlainNumber = ({ feature }: Reader) => feature.type === 'number' && !feature.steps && !feature.required;

/** The matrix says so already. */
function isAllNaN({ feature }: Reader, cells: Float64Array): boolean {
  for (let column = feature.start; column < feature.start + feature.width; column++)
    if (!Number.isNaN(cells[column])) return false;
  return true;
}

type Report = (row: number, value: unknown) => void;

function writeCells({ feature }: Reader, cells: Float64Array, { rows, values }: FeatureMatrix, row: number): void {
  for (let column = feature.start; column < feature.start + feature.width; column++)
    values[column * rows + row] = cells[column]!;
}

function copyNumbers(
  { feature }: Reader,
  source: Float64Array,
  start: number,
  { rows, values }: FeatureMatrix,
  report: Report,
): void {
  const at = feature.start * rows;
  for (let row = 0; row < rows; row++) {
    const value = source[start + row]!;
    values[at + row] = value;
    // True of NaN, too.
    if (value - value === 0) continue;
    values[at + row] = NaN;
    if (!Number.isNaN(value)) report(start + row, value);
  }
}

function encodeValues(
  reader: Reader,
  source: ArrayLike<unknown>,
  start: number,
  matrix: FeatureMatrix,
  report: Report,
): void {
  const cells = new Float64Array(matrix.columns);
  for (let row = 0; row < matrix.rows; row++) {
    const value = source[start + row];
    if (!reader.read(value, cells)) report(start + row, value);
    writeCells(reader, cells, matrix, row);
  }
}

function encodeCodes(
  reader: Reader,
  { codes, dictionary }: Extract<BatchColumn, { kind: 'codes' }>,
  start: number,
  matrix: FeatureMatrix,
  report: Report,
): void {
  const known = new Map<number, { cells: Float64Array; isRead: boolean }>();
  for (let row = 0; row < matrix.rows; row++) {
    const code = codes[start + row]!;
    let found = known.get(code);
    if (!found) {
      const cells = new Float64Array(matrix.columns);
      found = { cells, isRead: reader.read(code < 0 ? null : dictionary[code], cells) };
      known.set(code, found);
    }
    if (!found.isRead) report(start + row, dictionary[code]);
    writeCells(reader, found.cells, matrix, row);
  }
}
