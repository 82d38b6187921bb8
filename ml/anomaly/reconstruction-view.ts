import type { FeatureMatrix } from '../matrix.js';
import { reconstructRow, type Autoencoder } from '../neural/autoencoder.js';
import { fitSurpriseCurve, surpriseOf, type SurpriseCurve } from './surprise-curve.js';

/** How badly an autoencoder rebuilds a row, as one more view of a detector: it sees columns that contradict each other. */
export interface ReconstructionView {
  readonly autoencoder: Autoencoder;
  readonly curve: SurpriseCurve;
}

/**
 * Takes the scale of an autoencoder's errors from rows, usually those that it was trained on.
 * @throws RangeError for a matrix without rows
 */
export function fitReconstructionView(autoencoder: Autoencoder, x: FeatureMatrix): ReconstructionView {
  const row = new Float64Array(x.columns);
  const errors = Float64Array.from({ length: x.rows }, (_, at) => {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + at]!;
    return knownError(autoencoder, row);
  });
  return { autoencoder, curve: fitSurpriseCurve(errors) };
}

/** The surprise of a row in nats; a row without any value contradicts nothing. @param row one number a column, NaN = missing */
export function reconstructionSurprise({ autoencoder, curve }: ReconstructionView, row: ArrayLike<number>): number {
  return surpriseOf(curve, knownError(autoencoder, row));
}

/** By column how badly it is rebuilt, as a multiple of what is usual; 0 for a missing value. */
export function reconstructionParts({ autoencoder }: ReconstructionView, row: ArrayLike<number>): Float64Array {
  return reconstructRow(autoencoder, row).columns.map((error) => (Number.isNaN(error) ? 0 : error));
}

function knownError(autoencoder: Autoencoder, row: ArrayLike<number>): number {
  const { error } = reconstructRow(autoencoder, row);
  return Number.isNaN(error) ? 0 : error;
}
