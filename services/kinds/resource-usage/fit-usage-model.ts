import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import { seasonsOfStep } from '../../../core/kinds/resource-usage.js';
import { fitCurrentValueModel } from '../../../ml/forecast/current-value-model.js';
import { forecastAhead } from '../../../ml/forecast/forecast-ahead.js';
import { fitSeriesForecaster, type ForecastOutcome } from '../../../ml/forecast/forecast-series.js';
import { fitGeneralForecaster } from '../../../ml/forecast/general-forecaster.js';
import { usableSeasons } from '../../../ml/forecast/forecaster.js';
import { growthPower } from '../../../ml/forecast/step-intervals.js';
import { writeStaged } from '../../storage/staged-file.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { FitOutcome, OnProgress } from '../recipe.js';
import { JUDGEMENT_FILE, judgeMeasure, type MeasureJudgement } from './judge-usage-model.js';
import { measuresOf, settingsOf } from './plan.js';
import { forecastersOf, withoutSearched } from './search-forecasters.js';
import { readUsageTable, type UsageSeries, type UsageTable } from './usage-table.js';
import {
  boundsOf,
  encodeNumbers,
  FORECASTS_FILE,
  STEPS_AHEAD,
  storeGeneral,
  type StoredMeasure,
  type UsageBody,
} from './usage-model.js';

type Measure = ReturnType<typeof measuresOf>[number];

/** Backtests of this many series and measures take all origins that the settings ask for; more share their time. */
const FULL_BACKTESTS = 60;
const LEAST_ORIGINS = 10;
/** A request with a history of its own waits for its fits: growing trees and trying every form of smoothing take too long. */
const QUICK: ReadonlySet<string> = new Set([
  'seasonal_naive',
  'seasonal_naive_long',
  'seasonal_mean',
  'holt_winters_multiplicative',
  'holt_winters_additive',
  'theta',
  'mstl_theta',
]);

/** Chooses forecasters for each measure of each series, and general ones for series that come with a request. */
export async function fitUsageModel(plan: TrainingPlan, staging: string, onProgress: OnProgress): Promise<FitOutcome> {
  const table = await readUsageTable(plan, staging);
  const settings = settingsOf(plan);
  const seasons = settings.seasons ?? seasonsOfStep(table.stepMs / 1000);
  const warnings = [...table.warnings];
  const measures = measuresOf(settings).map((measure, at) => widenBounds(measure, table.series, at, warnings));
  const numbers: number[] = [];
  const stored = table.series.map(({ id, startMs, values }) => ({
    id,
    nextMs: startMs + values[0]!.length * table.stepMs,
    measures: [] as StoredMeasure[],
  }));
  const judgements: MeasureJudgement[] = [];
  const general: UsageBody['general'] = [];
  let trainingRows = 0;
  for (const [at, measure] of measures.entries()) {
    const outcomes = fitMeasure(plan, table, { measure, at, seasons }, (share, detail) =>
      onProgress(0.95 * ((at + share) / measures.length), detail),
    );
    outcomes.forEach((outcome, k) =>
      stored[k]!.measures.push(storeOutcome(outcome, table.series[k]!.values[at]!, numbers)),
    );
    const fitted = outcomes.filter((outcome) => outcome.kind === 'fitted');
    warnings.push(...describeRefusals(measure.name, outcomes, table.series));
    trainingRows += fitted.length * settings.history_steps;
    general.push(
      fitted.length > 0
        ? storeGeneral(fitGeneralForecaster(fitted, (name) => QUICK.has(name), 1 - settings.coverage))
        : null,
    );
    const fresh = outcomes.map((outcome, k) => withoutSearched(plan, outcome, table.series[k]!.values[at]!));
    const judged = judgeMeasure(measure.name, fresh, table, at);
    judgements.push(judged);
    // Origin by origin, the oldest first.
    judged.origins.toReversed().forEach(({ error, baseError }, origin) =>
      onProgress((0.95 * (at + 1)) / measures.length, `${measure.name}: origins`, {
        step: origin + 1,
        values: { [`${measure.name}.mase`]: error, [`${measure.name}.seasonal_naive_mase`]: baseError },
      }),
    );
  }
  if (judgements.every(({ constant, fitted }) => constant + fitted === 0))
    throw new ServiceError(
      'training_data_insufficient',
      `${plan.model} cannot be trained on ${plan.datasetId}: ${warnings.at(-1)?.message ?? 'no series is long enough'}.`,
    );
  const current = fitCurrentValueModel(
    table.series.map(({ values }) => ({
      measures: values.slice(0, measures.length),
      facts: values.slice(measures.length),
    })),
    { season: seasons[0] ?? 12, horizon: STEPS_AHEAD, alpha: 1 - settings.coverage },
  );
  const body: UsageBody = {
    settings,
    measures: measures.map(({ name, lower, upper, limit }, at) => ({
      name,
      lower,
      upper,
      limit,
      coverage: judgements[at]!.coverage ?? 0,
    })),
    facts: [...plan.features],
    stepMs: table.stepMs,
    seasons,
    seed: plan.seed,
    series: stored,
    general,
    current,
  };
  await writeStaged(join(staging, FORECASTS_FILE), encodeNumbers(numbers));
  await writeStaged(join(staging, JUDGEMENT_FILE), JSON.stringify(judgements));
  onProgress(1, 'forecasts');
  const names = [...measures.map(({ name }) => `current_${name}`), ...plan.features, 'trend'];
  return {
    algorithm: plan.algorithm,
    hyperparameters: plan.hyperparameters,
    signature: names.map((name) => ({ name, type: 'number' })),
    heads: measures.map(({ name }) => ({ name: `${name}_usage`, task: 'forecast' })),
    files: [FORECASTS_FILE],
    body,
    trainingRows: Math.min(table.rows * measures.length, trainingRows),
    details: {
      series: table.series.length,
      step_seconds: table.stepMs / 1000,
      seasons,
      candidates: Object.fromEntries(judgements.map(({ measure, candidates }) => [measure, candidates])),
      from_features: current?.heads.map(({ isPersistence, error, persistenceError, coverage }, at) => ({
        measure: measures[at]!.name,
        answers: isPersistence ? 'it stays as it is' : 'ridge regression',
        mae: error,
        mae_if_it_stays: persistenceError,
        coverage,
      })),
    },
    warnings,
  };
}

/** A bound that the data itself goes beyond is none. */
function widenBounds(measure: Measure, series: readonly UsageSeries[], at: number, warnings: FieldProblem[]): Measure {
  let [least, most] = [Infinity, -Infinity];
  for (const { values } of series)
    for (const value of values[at]!) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
  const { lower, upper } = measure;
  const isBelow = lower !== null && least < lower;
  const isAbove = upper !== null && most > upper;
  if (isBelow || isAbove)
    warnings.push({
      path: `forecast.measures.${measure.name}`,
      message: `the data lies from ${least} to ${most}, outside the bounds ${lower ?? '-∞'} to ${upper ?? '∞'}, which were not used; set lower, upper and limit in its unit`,
    });
  return { ...measure, lower: isBelow ? null : lower, upper: isAbove ? null : upper };
}

function fitMeasure(
  plan: TrainingPlan,
  table: UsageTable,
  { measure, at, seasons }: { measure: Measure; at: number; seasons: number[] },
  onProgress: OnProgress,
): ForecastOutcome[] {
  const settings = settingsOf(plan);
  const backtests = table.series.length * Object.keys(settings.measures).length;
  const origins = Math.max(
    Math.min(LEAST_ORIGINS, settings.origins),
    Math.min(settings.origins, Math.floor((settings.origins * FULL_BACKTESTS) / backtests)),
  );
  return table.series.map(({ id, values }, k) =>
    fitSeriesForecaster(values[at]!, {
      horizon: settings.horizon,
      seasons,
      alpha: 1 - settings.coverage,
      bounds: boundsOf(measure),
      mostOrigins: origins,
      longestHistory: settings.history_steps,
      forecasters: forecastersOf(plan, usableSeasons(values[at]!.length, seasons).length > 0),
      onOrigin: (done, total) => onProgress((k + done / total) / table.series.length, `${measure.name} of ${id}`),
    }),
  );
}

/** Forecasts as far as anyone may ask, so that no request has to fit anything. */
function storeOutcome(outcome: ForecastOutcome, values: Float64Array, numbers: number[]): StoredMeasure {
  if (outcome.kind === 'constant') return { kind: 'constant', value: outcome.value };
  if (outcome.kind === 'refused') return { kind: 'refused', reason: outcome.refusal.message };
  const { model } = outcome;
  const ahead = forecastAhead(model, values, STEPS_AHEAD);
  const at = numbers.length;
  for (const list of [ahead.values, ahead.halfWidths, ...model.errorPaths])
    for (const number of list) numbers.push(Number.isNaN(number) ? 0 : number);
  const { reason, halfWidths } = model.intervals;
  return {
    kind: 'fitted',
    at,
    paths: model.errorPaths.length,
    pathSteps: model.horizon,
    power: growthPower(halfWidths),
    forecasters: model.shares.map(({ name }) => name),
    ...(reason ? { reason } : {}),
  };
}

function describeRefusals(
  measure: string,
  outcomes: readonly ForecastOutcome[],
  series: readonly UsageSeries[],
): FieldProblem[] {
  const refused = outcomes.flatMap((outcome, k) =>
    outcome.kind === 'refused' ? [{ outcome, id: series[k]!.id }] : [],
  );
  const first = refused[0];
  if (!first) return [];
  const others = refused.length > 1 ? ` (and ${refused.length - 1} more series)` : '';
  return [
    { path: `series.${first.id}.${measure}`, message: `is not forecast${others}: ${first.outcome.refusal.message}` },
  ];
}
