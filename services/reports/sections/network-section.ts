import type { EpochRecord } from '../../../ml/neural/weight-training.js';
import type { ReportSection } from '../report-document.js';
import { learningCurveSection } from './learning-curve-section.js';

/** How the training of a network went; kept with its version. */
export interface NetworkTraining {
  /** What it was trained on, in words. */
  device: string;
  epochs: readonly EpochRecord[];
  /** The pass whose weights the network has. */
  best_epoch: number;
}

/** The losses of a network by pass over its rows. */
export function networkSection(input: {
  head: string;
  measure: string;
  training: Pick<NetworkTraining, 'epochs' | 'best_epoch'>;
}): ReportSection {
  const { head, measure, training } = input;
  return learningCurveSection({
    head,
    measure,
    by: 'rounds',
    chosen: training.best_epoch,
    points: training.epochs.map(({ epoch, trainingLoss, validationLoss }) => ({
      at: epoch,
      training: trainingLoss,
      validation: validationLoss ?? null,
    })),
  });
}
