import { anomalySettingsSchema, type AnomalySettings } from '../../../core/kinds/anomaly-detection.js';
import type { FieldProblem } from '../../../core/errors.js';
import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { PlanInput, PlannedKind } from '../recipe.js';

const DEFAULT_SEED = 42;
/** Hyperparameters that the detector has, and those that an autoencoder adds. */
const USED: readonly (keyof Hyperparameters)[] = ['n_estimators', 'seed'];
const USED_BY_AUTOENCODER: readonly (keyof Hyperparameters)[] = [
  'hidden_units',
  'epochs',
  'batch_size',
  'learning_rate',
];
/** What the version says it was learned by. */
const ISOLATION = 'isolation_forest_ecod';
const WITH_AUTOENCODER = 'isolation_forest_ecod_autoencoder';

/** Whether the entry asked for an autoencoder beside the other views. */
export const hasAutoencoder = (plan: TrainingPlan): boolean => plan.algorithm === WITH_AUTOENCODER;

export const settingsOf = (plan: TrainingPlan) => plan.settings as AnomalySettings & { gpuEnabled?: boolean };

/** The column of the data that a feature is read from. */
export const columnOf = (settings: AnomalySettings, feature: string): string => settings.columns?.[feature] ?? feature;

/** Plans the kind `anomaly_detection`: rows without a target. */
export function planAnomalyDetection({ definition, request, manifest, gpuEnabled }: PlanInput): PlannedKind {
  const settings = anomalySettingsSchema.parse(definition.anomaly ?? {});
  const given: Hyperparameters = { ...definition.hyperparameters, ...request.hyperparameters };
  const numeric = manifest.columns
    .filter(({ type }) => type === 'number' || type === 'integer')
    .map(({ name }) => name);
  const unused = new Set([definition.entity, definition.timestamp, settings.label, ...definition.exclude]);
  const features =
    definition.features ??
    (settings.columns ? Object.keys(settings.columns) : numeric.filter((name) => !unused.has(name)));
  const known = new Set(manifest.columns.map(({ name }) => name));
  const needed = [...features.map((feature) => columnOf(settings, feature)), settings.label, definition.timestamp];
  const problems: FieldProblem[] = needed
    .filter((name) => name !== undefined && !known.has(name))
    .map((name) => ({
      path: 'model_type',
      message: `the model uses the column ${name}, which the dataset ${manifest.dataset_id} lacks; its columns: ${[...known].join(', ')}`,
    }));
  for (const feature of features) {
    const column = columnOf(settings, feature);
    if (known.has(column) && !numeric.includes(column))
      problems.push({ path: 'model_type', message: `the column ${column} holds no numbers; leave it out of features` });
  }
  if (features.length === 0) problems.push({ path: 'model_type', message: 'no numeric column is left to learn from' });
  const isWithAutoencoder = definition.algorithm === 'autoencoder';
  const used = isWithAutoencoder ? [...USED, ...USED_BY_AUTOENCODER] : USED;
  const unusedParameters = (Object.keys(given) as (keyof Hyperparameters)[]).filter((name) => !used.includes(name));
  return {
    algorithm: isWithAutoencoder ? WITH_AUTOENCODER : ISOLATION,
    hyperparameters: {
      ...(isWithAutoencoder ? given : {}),
      n_estimators: given.n_estimators ?? 100,
      seed: given.seed ?? DEFAULT_SEED,
    },
    seed: given.seed ?? DEFAULT_SEED,
    warnings: unusedParameters.map((name) => ({
      path: `hyperparameters.${name}`,
      message: `was not used: an anomaly detector has no ${name.replaceAll('_', ' ')}`,
    })),
    heads: [],
    features,
    settings: isWithAutoencoder ? { ...settings, gpuEnabled } : settings,
    entity: definition.entity,
    timestamp: definition.timestamp,
    problems,
  };
}
