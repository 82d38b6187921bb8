import type { AnomalySettings } from '../../../core/kinds/anomaly-detection.js';
import type { AnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import { decodeDetector } from '../../../ml/anomaly/anomaly-format.js';
import type { ParetoTail } from '../../../ml/anomaly/pareto-tail.js';
import type { Autoencoder } from '../../../ml/neural/autoencoder.js';
import { decodeNetwork } from '../../../ml/neural/network-format.js';

export const DETECTOR_FILE = 'detector.model';

export const AUTOENCODER_FILE = 'autoencoder.model';

/** What an anomaly model is besides its files. */
export interface AnomalyBody {
  features: string[];
  settings: AnomalySettings;
  /** Scores of normal rows that the detector was not fitted on, ascending. */
  calibration: number[];
  /** Medians of the features: what a missing one is told from. */
  medians: number[];
  /** Of an autoencoder that looks too, the scale of its errors; its weights are in `AUTOENCODER_FILE`. */
  reconstruction?: { scores: number[]; surprises: number[]; tail: ParetoTail };
}

/**
 * Reads the stored detector.
 * @param read gives what `decode` makes of a file's bytes
 * @throws RangeError or ModelFormatError for bytes that are no such model
 */
export function loadDetector(
  { reconstruction }: AnomalyBody,
  read: <T>(file: string, decode: (bytes: Uint8Array) => T) => T,
): AnomalyDetector {
  const detector = read(DETECTOR_FILE, decodeDetector);
  if (!reconstruction) return detector;
  const autoencoder = read(AUTOENCODER_FILE, decodeAutoencoder);
  const { scores, surprises, tail } = reconstruction;
  const curve = { scores: Float64Array.from(scores), surprises: Float64Array.from(surprises), tail };
  return { ...detector, reconstruction: { autoencoder, curve } };
}

function decodeAutoencoder(bytes: Uint8Array): Autoencoder {
  const network = decodeNetwork(bytes);
  if ('weights' in network && network.description.kind === 'autoencoder') return network as Autoencoder;
  throw new RangeError('this is no autoencoder');
}
