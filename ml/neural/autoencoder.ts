import { categoryCode, scaleNumber } from './tabular-input.js';
import { describeTabularProblem, headOutputs, tabularOutputs } from './tabular-network.js';
import type { TabularDescription, TabularNetwork } from './tabular-network.js';
import { predictTabularNetworkRow } from './tabular-prediction.js';

/** What an autoencoder looks like; plain JSON. */
export interface AutoencoderDescription {
  kind: 'autoencoder';
  /** Answers each column from all of them through a narrow layer: a head a column, in the columns' order. */
  network: TabularDescription;
  /** The mean error of each column on rows that it was not trained on; errors are told as multiples of it. */
  usualErrors: number[];
}

/** A trained autoencoder: numbers and their description, nothing of TensorFlow. */
export interface Autoencoder {
  readonly description: AutoencoderDescription;
  readonly weights: Float32Array;
}

/** How unlike the training rows a row is. */
export interface ReconstructionError {
  /** The mean over the columns that the row has: about 1 for a usual row; NaN for one without any value. */
  error: number;
  /** By column, as a multiple of its usual error; NaN where the row lacks a value. */
  columns: Float64Array;
}

interface Prepared {
  network: TabularNetwork;
  answers: Float64Array;
}

const prepared = new WeakMap<Autoencoder, Prepared>();

/**
 * How badly the autoencoder rebuilds a row: the squared difference of a scaled number, -log p of a category. Runs without TensorFlow.
 * @param row a number a column of the training matrix, NaN = missing; a category never seen counts as improbable as can be
 */
export function reconstructRow(autoencoder: Autoencoder, row: ArrayLike<number>): ReconstructionError {
  const { network, answers } = prepare(autoencoder);
  const { usualErrors } = autoencoder.description;
  const { columns, heads } = network.description;
  predictTabularNetworkRow(network, row, answers);
  const errors = new Float64Array(columns.length);
  let at = 0;
  let sum = 0;
  let known = 0;
  for (let i = 0; i < columns.length; i++) {
    errors[i] = columnError(network.description, i, row[i]!, answers, at) / usualErrors[i]!;
    at += headOutputs(heads[i]!);
    if (Number.isNaN(errors[i]!)) continue;
    sum += errors[i]!;
    known++;
  }
  return { error: known > 0 ? sum / known : NaN, columns: errors };
}

/** A probability below this is as improbable as can be: the error of a category is at most 13.8. */
const LEAST_PROBABILITY = 1e-6;

/** The error of one column before it is compared with its usual error; NaN for a missing value. */
export function columnError(
  { columns, bound }: TabularDescription,
  index: number,
  value: number,
  answers: Float64Array,
  at: number,
): number {
  const column = columns[index]!;
  if (Number.isNaN(value)) return NaN;
  if (column.kind === 'number') return (scaleNumber(column, value, bound) - answers[at]!) ** 2;
  const code = categoryCode(column.categories, value);
  return -Math.log(Math.max(LEAST_PROBABILITY, code === 0 ? 0 : answers[at + code - 1]!));
}

function prepare(autoencoder: Autoencoder): Prepared {
  const known = prepared.get(autoencoder);
  if (known) return known;
  const { description, weights } = autoencoder;
  const ready = {
    network: { description: description.network, weights },
    answers: new Float64Array(tabularOutputs(description.network)),
  };
  prepared.set(autoencoder, ready);
  return ready;
}

/** Says what makes a description one that no autoencoder can have, or nothing. */
export function describeAutoencoderProblem({ network, usualErrors }: AutoencoderDescription): string | undefined {
  if (typeof network !== 'object' || network === null) return 'it has no network';
  const problem = describeTabularProblem(network);
  if (problem !== undefined) return problem;
  const { columns, heads } = network;
  const fits = heads.every((head, i) => {
    const column = columns[i];
    if (column?.kind === 'category') return head.kind === 'multiclass' && head.classes === column.categories;
    return column?.kind === 'number' && head.kind === 'regression';
  });
  if (!fits || heads.length !== columns.length) return 'its heads are not those of its columns';
  if (!Array.isArray(usualErrors) || usualErrors.length !== columns.length || !usualErrors.every((error) => error > 0))
    return 'it does not have a usual error above 0 for each column';
  return undefined;
}
