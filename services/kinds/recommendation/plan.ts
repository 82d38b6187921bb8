import type { FieldProblem } from '../../../core/errors.js';
import { recommendSettingsSchema, type RecommendSettings } from '../../../core/kinds/recommendation.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { PlanInput, PlannedKind } from '../recipe.js';

const DEFAULT_SEED = 42;

/** What a run of this kind follows: the settings of the entry, less the columns that the data does not have. */
export interface RecommendationPlan extends Omit<RecommendSettings, 'time' | 'action'> {
  time?: string;
  action?: string;
}

export const settingsOf = (plan: TrainingPlan) => plan.settings as RecommendationPlan;

/** Plans a run on interaction events: a row an event. */
export function planRecommendation({ definition, request, manifest }: PlanInput): PlannedKind {
  const settings = recommendSettingsSchema.parse(definition.recommend ?? {});
  const given = { ...definition.hyperparameters, ...request.hyperparameters };
  const columns = manifest.columns.map(({ name }) => name);
  const has = (name: string): boolean => columns.includes(name);
  const problems: FieldProblem[] = [];
  for (const part of ['user', 'item'] as const) {
    if (has(settings[part])) continue;
    const message = `the model needs the column ${settings[part]} (recommend.${part}), which the dataset ${manifest.dataset_id} lacks; its columns: ${columns.join(', ')}`;
    problems.push({ path: 'model_type', message });
  }
  const warnings = Object.keys(given)
    .filter((name) => name !== 'seed' && given[name as keyof typeof given] !== undefined)
    .map((name) => ({
      path: `hyperparameters.${name}`,
      message: 'was not used: the settings of a recommendation are chosen by what users took next',
    }));
  const missing = (['time', 'action'] as const).filter((part) => !has(settings[part]));
  const attributes = settings.attributes.filter(has);
  for (const name of [...missing.map((part) => settings[part]), ...settings.attributes.filter((one) => !has(one))])
    warnings.push({ path: 'model_type', message: `the data has no column ${name}, so nothing is learned from it` });
  const seed = given.seed ?? DEFAULT_SEED;
  return {
    algorithm: 'auto',
    hyperparameters: { seed },
    seed,
    warnings,
    heads: [],
    features: [],
    settings: {
      ...settings,
      time: has(settings.time) ? settings.time : undefined,
      action: has(settings.action) ? settings.action : undefined,
      attributes,
    } satisfies RecommendationPlan,
    entity: settings.user,
    timestamp: has(settings.time) ? settings.time : undefined,
    problems,
  };
}
