import { ServiceError } from '../../../core/errors.js';
import { seasonsOfStep, type ForecastSettings } from '../../../core/kinds/resource-usage.js';
import { forecastersFor } from '../../../ml/forecast/forecaster-pool.js';
import { usableSeasons } from '../../../ml/forecast/forecaster.js';
import { fitSeriesForecaster, type ForecastOutcome } from '../../../ml/forecast/forecast-series.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import { checkWithin } from '../../search/check-within.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { OpenTrials, SearchRecipe, TrialContext } from '../recipe.js';
import { measuresOf, settingsOf } from './plan.js';
import { boundsOf } from './usage-model.js';
import { readUsageTable } from './usage-table.js';

/** The newest part of each series, which no trial sees. */
const KEPT_SHARE = 0.25;
/** Reports of a trial: so many parts of the series. */
const PARTS = 4;
/** More tell little more about which forecasters suit these series. */
const MOST_BACKTESTS = 24;
const MOST_ORIGINS = 12;

/** Families of forecasters that may take part, by how their names begin. The seasonal naive forecast always does. */
const FAMILIES: Record<string, readonly string[]> = {
  smoothing: ['holt_winters', 'ets', 'theta'],
  decomposition: ['mstl'],
  trees: ['trees'],
};
const flag = { type: 'categorical', choices: [true, false] };

const SPACE = {
  smoothing: flag,
  decomposition: flag,
  trees: flag,
  history_steps: { type: 'int', low: 50, high: 10_000, log: true },
};

/** How forecasts are searched: which families of forecasters take part, and how much history they see, by backtests that end before the newest quarter. */
export const forecastSearch: SearchRecipe = {
  unasked: () => ({ trials: 8, timeout_seconds: 120 }),
  defaultSpace({ settings }) {
    const { history_steps: most } = settings as ForecastSettings;
    return {
      ...SPACE,
      history_steps: { type: 'int', low: Math.max(50, Math.round(most / 8)), high: Math.max(51, most), log: true },
    };
  },
  checkSpace: (space) => checkWithin(space, SPACE),
  metrics: () => ({ loss: { better: 'lower', isQuality: true }, mase: { better: 'lower', isQuality: true } }),
  resource: { name: 'parts of the series', least: 1, most: PARTS },
  apply: applyForecastConfiguration,
  openTrials,
};

function applyForecastConfiguration(plan: TrainingPlan, configuration: Configuration): TrainingPlan {
  const { history_steps: steps, ...families } = configuration;
  const settings = settingsOf(plan);
  return {
    ...plan,
    settings: steps === undefined ? settings : { ...settings, history_steps: Number(steps) },
    hyperparameters: { ...plan.hyperparameters, ...families },
  };
}

/** The forecasters that a plan lets take part. @param values decide whether there is a season */
export function forecastersOf({ hyperparameters }: TrainingPlan, hasSeason: boolean) {
  const left = Object.keys(FAMILIES).filter((family) => hyperparameters[family] === false);
  const isLeftOut = (name: string) => left.some((family) => FAMILIES[family]!.some((begin) => name.startsWith(begin)));
  return left.length === 0 ? undefined : forecastersFor(hasSeason).filter(({ name }) => !isLeftOut(name));
}

/** Steps at the end of a series that a search has not seen; Infinity where there was none. */
export const keptSteps = ({ sweep }: TrainingPlan, length: number): number =>
  sweep ? Math.floor(KEPT_SHARE * length) : Infinity;

/** Leaves out of the replays of a fit what lies where a search has looked: that says nothing about what it has chosen. */
export function withoutSearched(plan: TrainingPlan, outcome: ForecastOutcome, values: Float64Array): ForecastOutcome {
  if (outcome.kind !== 'fitted' || !plan.sweep) return outcome;
  const { origins, horizon } = outcome.backtest;
  // Origins count from the first measurement; the newest one lies a horizon before the last.
  const end = (origins.at(-1) ?? 0) + horizon;
  const trailing = values.length - 1 - values.findLastIndex((value) => Number.isFinite(value));
  const kept = keptSteps(plan, values.length) - trailing;
  return { ...outcome, replayed: outcome.replayed.filter(({ at }) => end - origins[at]! <= kept) };
}

/** Loads the series once. A trial's loss is its mean error as a share of that of the seasonal naive forecast: 1 is no better than that. */
async function openTrials(plan: TrainingPlan, staging: string): Promise<OpenTrials> {
  const table = await readUsageTable(plan, staging);
  const settings = settingsOf(plan);
  const measures = measuresOf(settings);
  const seasons = settings.seasons ?? seasonsOfStep(table.stepMs / 1000);
  const all = table.series.flatMap(({ values }) =>
    measures.map((measure, at) => ({
      measure,
      past: values[at]!.subarray(0, values[at]!.length - Math.floor(KEPT_SHARE * values[at]!.length)),
    })),
  );
  const step = Math.max(1, Math.ceil(all.length / MOST_BACKTESTS));
  const chosen = all.filter((_, at) => at % step === 0);
  const judge = (trial: TrainingPlan, { past, measure }: (typeof chosen)[number]) =>
    fitSeriesForecaster(past, {
      horizon: settings.horizon,
      seasons,
      alpha: 1 - settings.coverage,
      bounds: boundsOf(measure),
      mostOrigins: Math.min(MOST_ORIGINS, settings.origins),
      longestHistory: settingsOf(trial).history_steps,
      forecasters: forecastersOf(trial, usableSeasons(past.length, seasons).length > 0),
    });
  return {
    async run(configuration, context) {
      const trial = applyForecastConfiguration(plan, configuration);
      return judgeSeries(chosen, (one) => judge(trial, one), context, plan);
    },
  };
}

function judgeSeries<T>(
  series: readonly T[],
  judge: (one: T) => ForecastOutcome,
  { report }: TrialContext,
  plan: TrainingPlan,
) {
  const errors: { mase: number; base: number }[] = [];
  const mean = (of: (error: (typeof errors)[number]) => number) =>
    errors.reduce((sum, error) => sum + of(error), 0) / errors.length;
  for (let part = 1; part <= PARTS; part++) {
    const [from, to] = [part - 1, part].map((at) => Math.floor((at * series.length) / PARTS));
    for (const one of series.slice(from, to)) {
      const outcome = judge(one);
      if (outcome.kind !== 'fitted' || !(outcome.evidence.origins > 0)) continue;
      errors.push({ mase: outcome.evidence.mase, base: outcome.evidence.baseMase });
    }
    // Of few series the first parts may have none.
    if (errors.length > 0 && report(part, mean(({ mase }) => mase) / mean(({ base }) => base)) === 'prune')
      return undefined;
  }
  if (errors.length === 0)
    throw new ServiceError(
      'training_data_insufficient',
      `${plan.model} cannot be searched on ${plan.datasetId}: without its newest quarter no series is long enough for a backtest. Train it without a search.`,
    );
  return { metrics: { loss: mean(({ mase }) => mase) / mean(({ base }) => base), mase: mean(({ mase }) => mase) } };
}
