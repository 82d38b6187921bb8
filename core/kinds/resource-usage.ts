import { z } from 'zod';
import { commonPredictFields, entityIdSchema, featuresSchema } from '../schemas/prediction.js';
import { rounded, type ShapedPrediction } from './shaped-prediction.js';

const label = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and `_`');

const measureSchema = z.strictObject({
  column: z.string().min(1).optional().describe('Column of the data; the name of the measure by default'),
  lower: z.number().nullable().default(0).describe('What it can never be below; null for no bound'),
  upper: z.number().nullable().default(1).describe('What it can never be above; null for no bound'),
  limit: z
    .number()
    .nullable()
    .default(0.8)
    .describe('Reaching it within the horizon is what scaling prevents; null for no recommendation'),
});

const DEFAULT_MEASURES = {
  cpu: { lower: 0, upper: 1, limit: 0.8 },
  memory: { lower: 0, upper: 1, limit: 0.85 },
  storage: { lower: 0, upper: 1, limit: 0.9 },
};

/** What only a model of the kind `resource_usage` has in its config entry, below `forecast`. */
export const forecastSettingsSchema = z.strictObject({
  series: z.string().min(1).nullable().default('service').describe('Column that names the series; null for one series'),
  time: z.string().min(1).default('measured_at').describe('Column with the time of a measurement'),
  measures: z
    .record(label, measureSchema)
    .refine((measures) => Object.keys(measures).length > 0, 'needs one measure at least')
    .default(DEFAULT_MEASURES)
    .describe('What is forecast; `cpu` is answered as `cpu_usage_forecast` and given as `current_cpu`'),
  facts: z
    .array(label)
    .max(20)
    .default(['user_count'])
    .describe('Columns beside the measures that a forecast from features alone may use'),
  step_seconds: z
    .number()
    .min(1)
    .max(31_536_000)
    .optional()
    .describe('Time between two measurements; the median of the differences by default'),
  seasons: z
    .array(z.int().min(2).max(10_000))
    .max(4)
    .optional()
    .describe('Steps of the seasons; a day and a week where the step divides them, by default'),
  horizon: z.int().min(1).max(365).default(24).describe('Steps that the choice of forecasters is made for'),
  origins: z.int().min(6).max(100).default(36).describe('Origins of the backtest of each series, half a horizon apart'),
  history_steps: z
    .int()
    .min(50)
    .max(10_000)
    .default(672)
    .describe('Newest values of a series that forecasters are fitted to'),
  coverage: z.number().min(0.5).max(0.99).default(0.9).describe('Share of values that the intervals should hold'),
  act_from: z
    .number()
    .gt(0)
    .max(1)
    .default(0.2)
    .describe('Scaling is recommended from this probability of reaching a limit within the horizon'),
});
export type ForecastSettings = z.output<typeof forecastSettingsSchema>;

/** Measurements of one series in a request. */
const historySchema = z
  .array(
    z
      .object({ timestamp: z.iso.datetime({ offset: true }) })
      .catchall(z.union([z.number(), z.null()]))
      .describe('The time, and a number by measure'),
  )
  .min(1)
  .max(5000)
  .describe('Measurements by time, in any order; steps that are missing are gaps');

const FORECAST_HORIZON = 30;

/** A request for a forecast: from features alone, from a stored series, or from a history. */
export const forecastRequestSchema = z.strictObject({
  series_id: entityIdSchema.optional().describe('A series of the training data: what follows its last measurement'),
  features: featuresSchema
    .optional()
    .describe('Values of now: `current_<measure>`, facts such as `user_count`, `trend` as growth since the day before'),
  history: historySchema.optional(),
  forecast_horizon: z.int().min(1).max(365).default(FORECAST_HORIZON).describe('Steps of the model’s frequency'),
  ...commonPredictFields,
});

/** What of a request reaches the model besides entity and features. */
export const forecastOptionsSchema = z.object({
  history: historySchema.optional(),
  forecast_horizon: z.int().min(1).max(365).default(FORECAST_HORIZON),
});
export type ForecastOptions = z.output<typeof forecastOptionsSchema>;

/** The forecast of one measure. */
export interface MeasureForecast {
  /** As in the settings: `cpu`. */
  measure: string;
  values: readonly number[];
  lower: readonly number[];
  upper: readonly number[];
  /** Measured share of values inside such intervals, 0 to 1. */
  coverage: number;
  /** The forecasters behind it, heaviest first. */
  forecasters: readonly string[];
  /** Chance to reach the limit within the horizon, and the step (from 1) by which that is half as likely; absent without a limit. */
  crossing?: { limit: number; probability: number; medianStep?: number };
}

/** Where a forecast begins. */
export interface ForecastStart {
  /** Time of the first forecast value; absent where the request had no times. */
  startsAt?: string;
  stepSeconds: number;
}

const GROWTH_STEP_PERCENT = 5;
const MOST_GROWTH_PERCENT = 500;

/**
 * The answer. A measure whose limit is reached within the horizon with a probability of `act_from` or more is to be scaled up by as
 * much as brings the upper end of its interval below the limit, in steps of 5 %.
 */
export function shapeForecast(
  forecasts: readonly MeasureForecast[],
  { startsAt, stepSeconds }: ForecastStart,
  settings: Pick<ForecastSettings, 'act_from'>,
): ShapedPrediction {
  const predictions: Record<string, unknown> = {};
  for (const { measure, values } of forecasts) predictions[`${measure}_usage_forecast`] = values.map(rounded);
  predictions['intervals'] = Object.fromEntries(
    forecasts.map(({ measure, lower, upper }) => [
      `${measure}_usage`,
      lower.map((value, step) => ({ lower: rounded(value), upper: rounded(upper[step]!) })),
    ]),
  );
  const due = forecasts.filter(({ crossing }) => crossing && crossing.probability >= settings.act_from);
  predictions['scaling_recommendations'] = due.length > 0 ? due.map(recommendScaling) : ['current_scaling_adequate'];
  predictions['limits'] = Object.fromEntries(
    forecasts.flatMap(({ measure, crossing }) =>
      crossing
        ? [
            [
              `${measure}_usage`,
              {
                limit: crossing.limit,
                probability_of_reaching: rounded(crossing.probability),
                ...(crossing.medianStep === undefined ? {} : { likely_by_step: crossing.medianStep }),
              },
            ],
          ]
        : [],
    ),
  );
  predictions['forecasters'] = Object.fromEntries(
    forecasts.map(({ measure, forecasters }) => [`${measure}_usage`, forecasters]),
  );
  predictions['step_seconds'] = stepSeconds;
  if (startsAt !== undefined) predictions['starts_at'] = startsAt;
  return {
    predictions,
    confidence_scores: Object.fromEntries(
      forecasts.map(({ measure, coverage }) => [`${measure}_usage`, rounded(coverage)]),
    ),
  };
}

function recommendScaling({ measure, upper, crossing }: MeasureForecast): string {
  const peak = upper.reduce((most, value) => Math.max(most, value), 0);
  const limit = crossing!.limit;
  const missing = limit > 0 ? (peak / limit - 1) * 100 : MOST_GROWTH_PERCENT;
  const steps = Math.max(1, Math.ceil(missing / GROWTH_STEP_PERCENT - 1e-9));
  return `scale_up_${measure}_by_${Math.min(MOST_GROWTH_PERCENT, steps * GROWTH_STEP_PERCENT)}_percent`;
}

const DAY_SECONDS = 86_400;

/** Steps of a day and a week, where they are whole and there are several in a day; of a week where steps are days. */
export function seasonsOfStep(stepSeconds: number): number[] {
  const day = DAY_SECONDS / stepSeconds;
  if (day >= 2 && Number.isInteger(day)) return [day, 7 * day];
  const week = (7 * DAY_SECONDS) / stepSeconds;
  return week >= 2 && Number.isInteger(week) ? [week] : [];
}
