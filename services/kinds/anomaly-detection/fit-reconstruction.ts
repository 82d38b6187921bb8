import { fitReconstructionView, type ReconstructionView } from '../../../ml/anomaly/reconstruction-view.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { fitAutoencoder } from '../../../ml/neural/fit-autoencoder.js';
import type { TabularNetworkParameters } from '../../../ml/neural/fit-tabular-network.js';
import { selectNetworkBackend } from '../../training/network-backend.js';
import type { NetworkTraining } from '../../reports/sections/network-section.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { lossesOf, measuredOf, type OnProgress } from '../recipe.js';
import { settingsOf } from './plan.js';

/** Rows that are learned from, at equal distances: more take longer and rebuild a row no better. */
const MOST_ROWS = 5000;
const DEFAULT_EPOCHS = 40;

/** Trains an autoencoder on the normal rows and takes the scale of its errors from them. */
export async function fitReconstruction(
  plan: TrainingPlan,
  rows: FeatureMatrix,
  onProgress: OnProgress,
): Promise<{ view: ReconstructionView; training: NetworkTraining; warning?: string }> {
  const { device, warning } = await selectNetworkBackend({ gpuEnabled: settingsOf(plan).gpuEnabled === true });
  const matrix = thinRows(rows);
  const parameters = parametersOf(plan.hyperparameters);
  const { autoencoder, history } = await fitAutoencoder({
    matrix,
    categories: new Uint8Array(matrix.columns),
    parameters,
    seed: plan.seed,
    onEpoch: ({ epoch, trainingLoss, validationLoss }) =>
      onProgress(
        Math.min(0.99, epoch / parameters.epochs),
        `autoencoder, epoch ${epoch}`,
        measuredOf('autoencoder', lossesOf(epoch, trainingLoss, validationLoss)),
      ),
  });
  return {
    view: fitReconstructionView(autoencoder, matrix),
    training: { device, epochs: history.epochs, best_epoch: history.bestEpoch },
    ...(warning === undefined ? {} : { warning }),
  };
}

function parametersOf(given: Record<string, unknown>): Partial<TabularNetworkParameters> & { epochs: number } {
  const { hidden_units: hidden, batch_size: batchSize, learning_rate: learningRate, epochs } = given;
  return {
    epochs: typeof epochs === 'number' ? epochs : DEFAULT_EPOCHS,
    ...(hidden === undefined ? {} : { hidden: hidden as number[] }),
    ...(batchSize === undefined ? {} : { batchSize: batchSize as number }),
    ...(learningRate === undefined ? {} : { learningRate: learningRate as number }),
  };
}

function thinRows({ rows, columns, values }: FeatureMatrix): FeatureMatrix {
  const kept = Math.min(rows, MOST_ROWS);
  const thinned = new Float64Array(kept * columns);
  for (let column = 0; column < columns; column++)
    for (let at = 0; at < kept; at++)
      thinned[column * kept + at] = values[column * rows + Math.floor((at * rows) / kept)]!;
  return { rows: kept, columns, values: thinned };
}
