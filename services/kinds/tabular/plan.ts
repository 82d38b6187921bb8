import type { FieldProblem } from '../../../core/errors.js';
import { USER_BEHAVIOR_HEADS, type Head } from '../../../core/kinds/heads.js';
import { projectSettingsSchema, type ProjectSettings } from '../../../core/kinds/project-success.js';
import type { Algorithm, Hyperparameters, ModelEntry } from '../../../core/schemas/model-config.js';
import type { PreprocessingConfig } from '../../../core/schemas/preprocessing.js';
import type { DatasetManifest } from '../../datasets/manifest.js';
import { USER_BEHAVIOR_FEATURES } from '../../features/user-behavior-features.js';
import type { ModelDefinition } from '../../training/models-config.js';
import type { PlannedVariant, TrainingPlan } from '../../training/training-plan.js';
import { unknownColumns } from '../../preprocessing/column-choices.js';
import type { PlanInput, PlannedKind } from '../recipe.js';
import { TABULAR_ALGORITHMS, type TabularAlgorithm } from './head-model.js';
import { DEFAULT_SEED, describeUnused } from './hyperparameters.js';

/** What a table's run follows besides what every run does. */
export interface TabularSettings {
  split: 'random' | 'time';
  costs?: { false_positive: number; false_negative: number };
  positiveClass?: string;
  monotone?: ModelEntry['monotone'];
  project?: ProjectSettings;
  preprocessing?: PreprocessingConfig;
  /** `GPU_ENABLED`: a network may be trained on a GPU. */
  gpuEnabled?: boolean;
}

export const settingsOf = (plan: TrainingPlan) => plan.settings as TabularSettings;

/** The algorithms that a plan leaves to choose from. */
export function candidatesOf(algorithm: string): readonly TabularAlgorithm[] {
  return algorithm === 'auto' ? TABULAR_ALGORITHMS : [algorithm as TabularAlgorithm];
}

/** The ways to fit that a plan asks for. */
export function variantsOf({
  algorithm,
  hyperparameters,
  variants,
}: Pick<TrainingPlan, 'algorithm' | 'hyperparameters' | 'variants'>): PlannedVariant[] {
  return variants
    ? [...variants]
    : algorithm === 'neural_network'
      ? [{ algorithm, hyperparameters }]
      : candidatesOf(algorithm).map((one) => ({ algorithm: one, hyperparameters }));
}

/** Plans the kinds that learn from one table: a row an example. */
export function planTabular({ definition, request, manifest, autoMl, gpuEnabled }: PlanInput): PlannedKind {
  const given: Hyperparameters = { ...definition.hyperparameters, ...request.hyperparameters };
  const algorithm: Algorithm = definition.algorithm ?? (autoMl ? 'auto' : 'random_forest');
  const isUserBehavior = definition.kind === 'user_behavior';
  const project =
    definition.kind === 'project_success' ? projectSettingsSchema.parse(definition.project ?? {}) : undefined;
  const { heads, warnings } = headsOf(definition, project, manifest);
  const { features, problems } = isUserBehavior
    ? { features: definition.features ?? USER_BEHAVIOR_FEATURES.map((feature) => feature.name), problems: [] }
    : chooseFeatures(definition, heads, manifest);
  const { preprocessing } = definition;
  const settings: TabularSettings = {
    split: definition.split,
    costs: definition.costs,
    positiveClass: definition.positive_class,
    monotone: definition.monotone,
    project,
    ...(preprocessing ? { preprocessing } : {}),
    // Only where a network may be trained.
    ...(algorithm === 'neural_network' || isUserBehavior ? { gpuEnabled } : {}),
  };
  return {
    algorithm,
    hyperparameters: { ...given, seed: given.seed ?? DEFAULT_SEED },
    seed: given.seed ?? DEFAULT_SEED,
    warnings: [
      ...warnings,
      ...describeUnused(given, algorithm === 'neural_network' ? ['neural_network'] : candidatesOf(algorithm)),
    ],
    heads,
    features,
    settings,
    ...(isUserBehavior
      ? { entity: 'user_id', timestamp: 'occurred_at', filters: ['active_users_only'] }
      : { entity: definition.entity, timestamp: definition.timestamp }),
    problems: [...problems, ...(preprocessing ? unknownColumns(preprocessing, features, 'preprocessing') : [])],
  };
}

function headsOf(
  definition: ModelDefinition,
  project: ProjectSettings | undefined,
  manifest: DatasetManifest,
): { heads: readonly Head[]; warnings: FieldProblem[] } {
  const column = definition.target ?? 'target';
  if (definition.kind === 'user_behavior') return { heads: USER_BEHAVIOR_HEADS, warnings: [] };
  if (definition.kind === 'regression') return { heads: [{ name: 'value', column, task: 'regression' }], warnings: [] };
  if (!project) return { heads: [{ name: 'label', column, task: 'multiclass' }], warnings: [] };
  const success: Head = { name: 'success_probability', column, task: 'binary', positive: project.success_value };
  const hasDuration = manifest.columns.some(({ name }) => name === project.duration);
  if (!hasDuration) {
    const message = `the data has no column ${project.duration}, so no completion time is learned; name another one in project.duration`;
    return { heads: [success], warnings: [{ path: 'project.duration', message }] };
  }
  return {
    heads: [success, { name: 'completion_time_estimate', column: project.duration, task: 'regression' }],
    warnings: [],
  };
}

function chooseFeatures(
  definition: ModelDefinition,
  heads: readonly Head[],
  manifest: DatasetManifest,
): { features: readonly string[]; problems: FieldProblem[] } {
  const columns = manifest.columns.map((column) => column.name);
  const truths = heads.map((head) => head.column);
  const unused = new Set([...truths, definition.entity, definition.timestamp, ...definition.exclude]);
  const features = definition.features ?? columns.filter((name) => !unused.has(name));
  const needed = [...features, ...truths, definition.entity, definition.timestamp].filter((name) => name !== undefined);
  const problems = needed
    .filter((name) => !columns.includes(name))
    .map((name) => ({
      path: 'model_type',
      message: `the model uses the column ${name}, which the dataset ${manifest.dataset_id} lacks; its columns: ${columns.join(', ')}`,
    }));
  if (features.length === 0) problems.push({ path: 'model_type', message: 'no column is left to learn from' });
  return { features, problems };
}
