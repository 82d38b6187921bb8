import type { FeatureMatrix } from '../matrix.js';
import { createPrng, shuffle } from '../random/prng.js';
import { columnError } from './autoencoder.js';
import type { Autoencoder } from './autoencoder.js';
import { fitTabularNetwork } from './fit-tabular-network.js';
import type { TabularHeadInput, TabularNetworkParameters } from './fit-tabular-network.js';
import { categoryCode, fitTabularColumns, scaleNumber } from './tabular-input.js';
import { headOutputs, tabularOutputs } from './tabular-network.js';
import type { TabularNetwork } from './tabular-network.js';
import { predictTabularNetworkRow } from './tabular-prediction.js';
import type { EpochRecord, TrainingHistory } from './weight-training.js';

export interface AutoencoderInput {
  /** Rows that are mostly usual. */
  matrix: FeatureMatrix;
  /** For each column the number of its categories, whose codes are 0 to n - 1, or 0 for a column of numbers. */
  categories: ArrayLike<number>;
  /** `hidden` must have its narrowest layer where the row is squeezed through; default half as wide as there are columns, at least 2. */
  parameters?: Partial<TabularNetworkParameters>;
  seed: number;
  onEpoch?: (record: EpochRecord) => void | Promise<void>;
}

const VALIDATION_SHARE = 1 / 6;
const LEAST_ROWS_TO_SPLIT = 30;
/** Wider than for other networks: how far off an outlier is must not be lost. */
const BOUND = 10;
/** A column that is rebuilt perfectly must not make the least deviation infinite. */
const LEAST_USUAL_ERROR = 1e-3;

/**
 * Trains a network that rebuilds each row through a narrow layer, so that rows unlike the others come out changed (Hawkins et
 * al. 2002, "Outlier detection using replicator neural networks"). Dropped units of the wide layers keep it from copying.
 * @throws RangeError for no rows, or for a column without a value in any training row
 */
export async function fitAutoencoder(
  input: AutoencoderInput,
): Promise<{ autoencoder: Autoencoder; history: TrainingHistory }> {
  const { matrix, categories, seed } = input;
  if (matrix.rows === 0 || matrix.columns === 0)
    throw new RangeError(`an autoencoder needs rows and columns, got ${matrix.rows} x ${matrix.columns}`);
  if (categories.length !== matrix.columns)
    throw new RangeError(
      `categories has ${categories.length} entries for ${matrix.columns} columns: give 0 for a number`,
    );
  const bound = input.parameters?.bound ?? BOUND;
  const { trainingRows, validationRows } = splitRows(matrix.rows, seed);
  const heads = makeHeads(matrix, categories, trainingRows, bound);
  const { network, history } = await fitTabularNetwork({
    ...input,
    heads,
    validationRows,
    parameters: { hidden: defaultLayers(matrix.columns), dropout: 0, ...input.parameters, bound, isWide: false },
  });
  const usualErrors = meanErrors(network, matrix, validationRows.length > 0 ? validationRows : trainingRows);
  const description = { kind: 'autoencoder' as const, network: network.description, usualErrors };
  return { autoencoder: { description, weights: network.weights }, history };
}

function defaultLayers(columns: number): number[] {
  const wide = Math.min(128, Math.max(16, 2 * columns));
  return [wide, Math.max(2, Math.ceil(columns / 2)), wide];
}

function splitRows(rows: number, seed: number): { trainingRows: Uint32Array; validationRows: Uint32Array } {
  const order = shuffle(
    Uint32Array.from({ length: rows }, (_, row) => row),
    createPrng(seed, 3),
  );
  const kept = rows >= LEAST_ROWS_TO_SPLIT ? Math.floor(rows * VALIDATION_SHARE) : 0;
  return { trainingRows: order.slice(kept).sort(), validationRows: order.slice(0, kept).sort() };
}

/** Each column is its own truth, as the network sees it. */
function makeHeads(
  matrix: FeatureMatrix,
  categories: ArrayLike<number>,
  trainingRows: Uint32Array,
  bound: number,
): TabularHeadInput[] {
  return fitTabularColumns(matrix, categories, trainingRows).map((column, index): TabularHeadInput => {
    const name = `column ${index}`;
    const values = matrix.values.subarray(index * matrix.rows, (index + 1) * matrix.rows);
    if (column.kind === 'number') {
      const truth = values.map((value) => (Number.isNaN(value) ? NaN : scaleNumber(column, value, bound)));
      return { name, kind: 'regression', truth };
    }
    const truth = values.map((value) => {
      const code = categoryCode(column.categories, value);
      return code === 0 ? NaN : code - 1;
    });
    return { name, kind: 'multiclass', classes: column.categories, truth };
  });
}

function meanErrors(network: TabularNetwork, matrix: FeatureMatrix, rows: Uint32Array): number[] {
  const { description } = network;
  const sums = new Float64Array(matrix.columns);
  const counts = new Float64Array(matrix.columns);
  const answers = new Float64Array(tabularOutputs(description));
  const cells = new Float64Array(matrix.columns);
  for (const row of rows) {
    for (let i = 0; i < cells.length; i++) cells[i] = matrix.values[i * matrix.rows + row]!;
    predictTabularNetworkRow(network, cells, answers);
    let at = 0;
    for (let i = 0; i < cells.length; i++) {
      const error = columnError(description, i, cells[i]!, answers, at);
      at += headOutputs(description.heads[i]!);
      if (Number.isNaN(error)) continue;
      sums[i]! += error;
      counts[i]!++;
    }
  }
  return Array.from(sums, (sum, i) => Math.max(LEAST_USUAL_ERROR, counts[i]! > 0 ? sum / counts[i]! : 1));
}
