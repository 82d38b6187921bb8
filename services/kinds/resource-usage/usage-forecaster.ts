import { ServiceError } from '../../../core/errors.js';
import type { ForecastStart, MeasureForecast } from '../../../core/kinds/resource-usage.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { crossingProbability } from '../../../ml/forecast/crossing-probability.js';
import { currentFeatures, forecastFromCurrent } from '../../../ml/forecast/current-value-model.js';
import { forecastAhead } from '../../../ml/forecast/forecast-ahead.js';
import { clipTo } from '../../../ml/forecast/forecast-bounds.js';
import type { SeriesForecaster } from '../../../ml/forecast/forecast-series.js';
import { growthPower } from '../../../ml/forecast/step-intervals.js';
import { readUsageRequest, type KnownNow, type UsageRequest } from './read-usage-request.js';
import { boundsOf, loadGeneral, STEPS_AHEAD, type StoredMeasure, type UsageBody } from './usage-model.js';

/** One measure before it is shaped for the answer. */
interface RawForecast {
  values: Float64Array;
  halfWidths: Float64Array;
  errorPaths: Float64Array[];
  power: number;
  forecasters: string[];
  /** Measured share of values inside such intervals. */
  coverage: number;
}

const isConstant = (values: Float64Array): boolean => {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.every((value) => value === known[0]);
};

/** A loaded model of resource usage. */
export class UsageForecaster {
  private readonly general: (SeriesForecaster | null)[];

  /** @param numbers of the model's file */
  constructor(
    private readonly body: UsageBody,
    private readonly numbers: Float64Array,
  ) {
    this.general = body.general.map((stored) => stored && loadGeneral(stored));
  }

  /** @throws ServiceError `request_invalid` */
  forecast(input: ScoreInput): { forecasts: MeasureForecast[]; start: ForecastStart } {
    const request = readUsageRequest(this.body, input);
    const forecasts = this.rawForecasts(request).map((raw, at) => this.finish(raw, at));
    const nextMs = request.source === 'series' ? request.series.nextMs : request.nextMs;
    const startsAt = nextMs === undefined ? {} : { startsAt: new Date(nextMs).toISOString() };
    return { forecasts, start: { ...startsAt, stepSeconds: this.body.stepMs / 1000 } };
  }

  /** Values and half-widths by head, unrounded. */
  outputs(input: ScoreInput): Record<string, number[]> {
    const raw = this.rawForecasts(readUsageRequest(this.body, input));
    return Object.fromEntries(
      raw.map(({ values, halfWidths }, at) => [`${this.body.measures[at]!.name}_usage`, [...values, ...halfWidths]]),
    );
  }

  private rawForecasts(request: UsageRequest): RawForecast[] {
    return this.body.measures.map((_, at) => this.rawForecast(request, at));
  }

  private rawForecast(request: UsageRequest, at: number): RawForecast {
    const { horizon, known } = request;
    if (request.source === 'series') {
      const stored = request.series.measures[at]!;
      return stored.kind === 'refused' ? this.fromCurrent(known, at, horizon) : this.fromStored(stored, at, horizon);
    }
    if (request.source === 'features') return this.fromCurrent(known, at, horizon);
    const values = request.columns[at]!;
    const general = this.general[at];
    if (!general || values.every(Number.isNaN)) return this.fromCurrent(known, at, horizon);
    if (isConstant(values)) return steady(known.now[at]!, horizon);
    const ahead = forecastAhead(general, values, horizon);
    return {
      values: ahead.values,
      halfWidths: ahead.halfWidths,
      errorPaths: general.errorPaths.map((path) => path.map((error) => error * ahead.errorRatio)),
      power: growthPower(general.intervals.halfWidths),
      forecasters: general.shares.map(({ name }) => name),
      coverage: this.body.measures[at]!.coverage,
    };
  }

  private fromStored(stored: Exclude<StoredMeasure, { kind: 'refused' }>, at: number, horizon: number): RawForecast {
    if (stored.kind === 'constant') return steady(stored.value, horizon);
    const slice = (from: number, count: number): Float64Array => this.numbers.subarray(from, from + count);
    const paths = stored.at + 2 * STEPS_AHEAD;
    return {
      values: slice(stored.at, horizon),
      halfWidths: slice(stored.at + STEPS_AHEAD, horizon),
      errorPaths: Array.from({ length: stored.paths }, (_, k) => slice(paths + k * stored.pathSteps, stored.pathSteps)),
      power: stored.power,
      forecasters: stored.forecasters,
      coverage: this.body.measures[at]!.coverage,
    };
  }

  private fromCurrent({ now, facts, trend }: KnownNow, at: number, horizon: number): RawForecast {
    const { current, measures } = this.body;
    if (!current)
      throw new ServiceError(
        'request_invalid',
        'This version was trained on series too short to forecast from features alone.',
        [{ path: 'features', message: 'send a history of two seasons or more, or a series_id of the training data' }],
      );
    const head = current.heads[at]!;
    const forecast = forecastFromCurrent(current, at, currentFeatures(now, facts, trend), now[at]!, horizon);
    return {
      ...forecast,
      values: clipTo(forecast.values, boundsOf(measures[at]!)),
      power: 0.5,
      forecasters: [head.isPersistence ? 'current_value' : 'ridge_on_current_values'],
      coverage: head.coverage,
    };
  }

  private finish(raw: RawForecast, at: number): MeasureForecast {
    const { name, limit, ...bounds } = this.body.measures[at]!;
    const { values, halfWidths, errorPaths, power, forecasters, coverage } = raw;
    const ends = (sign: number): number[] => [
      ...clipTo(
        values.map((value, step) => value + sign * halfWidths[step]!),
        boundsOf(bounds),
      ),
    ];
    return {
      measure: name,
      values: [...values],
      lower: ends(-1),
      upper: ends(1),
      coverage,
      forecasters,
      ...(limit === null
        ? {}
        : { crossing: { limit, ...crossingProbability(values, errorPaths, limit, { seed: this.body.seed, power }) } }),
    };
  }
}

function steady(value: number, horizon: number): RawForecast {
  return {
    values: new Float64Array(horizon).fill(value),
    halfWidths: new Float64Array(horizon),
    errorPaths: [],
    power: 0,
    forecasters: ['constant'],
    coverage: 1,
  };
}
