import { ServiceError } from '../../../core/errors.js';
import { anomalyScores, fitAnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import { encodeDetector } from '../../../ml/anomaly/anomaly-format.js';
import { rocArea } from '../../../ml/evaluate/roc.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import { checkWithin } from '../../search/check-within.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { OpenTrials, SearchRecipe } from '../recipe.js';
import { partKnown, readAnomalyTable } from './anomaly-table.js';
import { settingsOf } from './plan.js';

/** With fewer known anomalies in each half, luck decides. */
const LEAST_KNOWN = 10;

/** Rows that the trees of each forest see, one forest a number; all of them stand in the choices of a trial. */
const SAMPLES = ['64', '256', '1024', '64x256', '256x1024', '64x256x1024'] as const;

const SPACE = {
  n_estimators: { type: 'int', low: 20, high: 400, log: true },
  max_samples: { type: 'categorical', choices: SAMPLES },
};

/** How a detector is searched: by half of the known anomalies beside normal rows; the other half is left to judge the version by. */
export const anomalySearch: SearchRecipe = {
  unasked: ({ settings }) =>
    (settings as { label?: string }).label === undefined ? undefined : { trials: 12, timeout_seconds: 120 },
  defaultSpace: () => SPACE,
  unsearched: { n_estimators: 100, max_samples: '64x256x1024' },
  checkSpace: (space, { settings }) => [
    ...checkWithin(space, SPACE),
    ...((settings as { label?: string }).label
      ? []
      : [{ path: '', message: 'cannot be searched without known anomalies: name their column in anomaly.label' }]),
  ],
  metrics: () => ({
    loss: { better: 'lower', isQuality: true },
    roc_auc: { better: 'higher', isQuality: true },
    model_bytes: { better: 'lower', isQuality: false },
  }),
  resource: { name: 'fits', least: 1, most: 1 },
  apply: (plan, configuration) => ({ ...plan, hyperparameters: { ...plan.hyperparameters, ...configuration } }),
  openTrials,
};

/** What a plan or a configuration says of the forests. */
export function forestsOf(hyperparameters: Configuration | TrainingPlan['hyperparameters']) {
  const samples = hyperparameters['max_samples'];
  return {
    trees: Number(hyperparameters['n_estimators'] ?? 100),
    ...(samples === undefined ? {} : { sampleSizes: String(samples).split('x').map(Number) }),
  };
}

/** A trial fits on the rows that a version is fitted on, and is judged by how well it tells calibration rows from known anomalies. */
async function openTrials(plan: TrainingPlan, staging: string): Promise<OpenTrials> {
  const table = await readAnomalyTable(plan, staging);
  const { searched } = partKnown(table, plan.seed);
  if (searched.rows < LEAST_KNOWN)
    throw new ServiceError(
      'training_data_insufficient',
      `${plan.model} cannot be searched on ${plan.datasetId}: ${table.known.rows} rows are named in ${settingsOf(plan).label} as anomalies, and ${2 * LEAST_KNOWN} are needed. Train it without a search.`,
    );
  return {
    async run(configuration, { report }) {
      const detector = fitAnomalyDetector(table.fitting, { ...forestsOf(configuration), seed: plan.seed });
      const scores = [anomalyScores(detector, table.calibration), anomalyScores(detector, searched)] as const;
      const all = Float64Array.from([...scores[0], ...scores[1]]);
      const { area } = rocArea(
        all,
        Uint8Array.from(all, (_, at) => Number(at >= scores[0].length)),
      );
      // Chance finds half of the area: 1 is as bad as that.
      const loss = 2 * (1 - area);
      if (report(1, loss) === 'prune') return undefined;
      return { metrics: { loss, roc_auc: area, model_bytes: encodeDetector(detector).length } };
    },
  };
}
