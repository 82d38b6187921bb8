import { join } from 'node:path';
import { encodeDetector } from '../../../ml/anomaly/anomaly-format.js';
import { anomalyScores, fitAnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import type { SurpriseCurve } from '../../../ml/anomaly/surprise-curve.js';
import { encodeNetwork } from '../../../ml/neural/network-format.js';
import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import { writeStaged } from '../../storage/staged-file.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { FitOutcome, OnProgress } from '../recipe.js';
import { AUTOENCODER_FILE, DETECTOR_FILE, type AnomalyBody } from './anomaly-model.js';
import { readAnomalyTable } from './anomaly-table.js';
import type { fitReconstruction as fitView } from './fit-reconstruction.js';
import { hasAutoencoder, settingsOf } from './plan.js';
import { forestsOf } from './search-anomalies.js';

/** Calibration scores that are kept: more tell nothing new about one in two thousand. */
const MOST_CALIBRATION = 20_000;
/** Below this a false alarm rate of one in a hundred rests on a handful of rows. */
const CALIBRATION_WANTED = 1000;

/** Fits the detectors on one part of the normal rows and writes down how another part scores. */
export async function fitAnomalyModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<FitOutcome> {
  const table = await readAnomalyTable(plan, staging);
  if (table.fitting.rows < 50)
    throw new ServiceError(
      'training_data_insufficient',
      `${plan.model} cannot be trained on ${plan.datasetId}: only ${table.fitting.rows} rows without a label are left to learn what is normal.`,
    );
  onProgress(0.1, 'growing isolation forests');
  const views = fitAnomalyDetector(table.fitting, {
    ...forestsOf(plan.hyperparameters),
    seed: plan.seed,
    onProgress: (share) => onProgress(0.1 + 0.3 * share, 'growing isolation forests'),
  });
  await writeStaged(join(staging, DETECTOR_FILE), encodeDetector(views));
  const rebuilt = hasAutoencoder(plan)
    ? await fitReconstruction(plan, table.fitting, (share, detail) => onProgress(0.4 + 0.3 * share, detail))
    : undefined;
  if (rebuilt) await writeStaged(join(staging, AUTOENCODER_FILE), encodeNetwork(rebuilt.view.autoencoder));
  const detector = rebuilt ? { ...views, reconstruction: rebuilt.view } : views;
  onProgress(0.7, 'calibrating');
  const calibration = anomalyScores(detector, table.calibration).sort();
  const body: AnomalyBody = {
    features: [...plan.features],
    settings: settingsOf(plan),
    calibration: [...thin(calibration)],
    medians: plan.features.map((_, column) => medianOf(table.fitting, column)),
    ...(rebuilt ? { reconstruction: plainCurve(rebuilt.view.curve) } : {}),
  };
  return {
    algorithm: plan.algorithm,
    hyperparameters: plan.hyperparameters,
    signature: plan.features.map((name) => ({ name, type: 'number' })),
    heads: [{ name: 'is_anomaly', task: 'binary', classes: [false, true] }],
    files: [DETECTOR_FILE, ...(rebuilt ? [AUTOENCODER_FILE] : [])],
    body,
    ...(rebuilt ? { details: { network: rebuilt.training } } : {}),
    trainingRows: table.fitting.rows + table.calibration.rows,
    warnings: [
      ...describeCalibration(calibration.length),
      ...(rebuilt?.warning ? [{ path: 'GPU_ENABLED', message: rebuilt.warning }] : []),
    ],
  };
}

/** TensorFlow is loaded only where an autoencoder is trained. */
async function fitReconstruction(...input: Parameters<typeof fitView>): ReturnType<typeof fitView> {
  return (await import('./fit-reconstruction.js')).fitReconstruction(...input);
}

const plainCurve = ({ scores, surprises, tail }: SurpriseCurve) => ({
  scores: [...scores],
  surprises: [...surprises],
  tail,
});

function thin(sorted: Float64Array): Float64Array {
  if (sorted.length <= MOST_CALIBRATION) return sorted;
  return Float64Array.from(
    { length: MOST_CALIBRATION },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MOST_CALIBRATION - 1))]!,
  );
}

function medianOf({ rows, values }: { rows: number; values: Float64Array }, column: number): number {
  const present = values.slice(column * rows, (column + 1) * rows).filter((value) => !Number.isNaN(value));
  return present.length > 0 ? present.sort()[present.length >> 1]! : 0;
}

function describeCalibration(rows: number): FieldProblem[] {
  if (rows >= CALIBRATION_WANTED) return [];
  const message = `only ${rows} rows calibrate the false alarm rate, so that no p-value is below ${(1 / (rows + 1)).toPrecision(2)}; with ${CALIBRATION_WANTED} or more the sensitivity says what it promises`;
  return [{ path: 'training_data', message }];
}
