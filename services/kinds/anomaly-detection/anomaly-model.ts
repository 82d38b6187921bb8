import type { AnomalySettings } from '../../../core/kinds/anomaly-detection.js';

export const DETECTOR_FILE = 'detector.model';

/** What an anomaly model is besides its file. */
export interface AnomalyBody {
  features: string[];
  settings: AnomalySettings;
  /** Scores of normal rows that the detector was not fitted on, ascending. */
  calibration: number[];
  /** Medians of the features: what a missing one is told from. */
  medians: number[];
}
