import type { FieldProblem } from '../../../core/errors.js';
import { forecastSettingsSchema, type ForecastSettings } from '../../../core/kinds/resource-usage.js';
import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { PlanInput, PlannedKind } from '../recipe.js';

const DEFAULT_SEED = 42;

export const settingsOf = (plan: TrainingPlan) => plan.settings as ForecastSettings;

/** The measures in their order, each with its column. */
export const measuresOf = (settings: ForecastSettings) =>
  Object.entries(settings.measures).map(([name, measure]) => ({ name, ...measure, column: measure.column ?? name }));

/** Plans the kind `resource_usage`: measurements over time, of one series or several. */
export function planResourceUsage({ definition, request, manifest }: PlanInput): PlannedKind {
  const settings = forecastSettingsSchema.parse(definition.forecast ?? {});
  const given: Hyperparameters = { ...definition.hyperparameters, ...request.hyperparameters };
  const types = new Map(manifest.columns.map(({ name, type }) => [name, type]));
  const isNumber = (column: string) => ['number', 'integer'].includes(types.get(column) ?? '');
  const problems: FieldProblem[] = [];
  const lacks = (column: string, use: string): void => {
    const message = `the model reads ${use} from the column ${column}, which the dataset ${manifest.dataset_id} lacks; its columns: ${[...types.keys()].join(', ')}`;
    problems.push({ path: 'model_type', message });
  };
  if (settings.series && !types.has(settings.series)) lacks(settings.series, 'the name of the series');
  if (!types.has(settings.time)) lacks(settings.time, 'the time');
  for (const { name, column } of measuresOf(settings)) {
    if (!types.has(column)) lacks(column, name);
    else if (!isNumber(column))
      problems.push({ path: 'model_type', message: `the column ${column} of ${name} holds no numbers` });
  }
  const warnings: FieldProblem[] = (Object.keys(given) as (keyof Hyperparameters)[])
    .filter((name) => name !== 'seed')
    .map((name) => ({
      path: `hyperparameters.${name}`,
      message: `was not used: forecasters are chosen by backtest and have no ${name.replaceAll('_', ' ')}`,
    }));
  const facts = settings.facts.filter((fact) => isNumber(fact));
  for (const fact of settings.facts.filter((name) => !facts.includes(name)))
    warnings.push({ path: 'forecast.facts', message: `the data has no column of numbers called ${fact}; left out` });
  return {
    algorithm: 'forecast_combination',
    hyperparameters: { seed: given.seed ?? DEFAULT_SEED },
    seed: given.seed ?? DEFAULT_SEED,
    warnings,
    heads: [],
    features: facts,
    settings,
    entity: settings.series ?? undefined,
    timestamp: settings.time,
    problems,
  };
}
