/**
 * What forecasts promise, on simulated series whose truth is known: 90 % intervals hold 90 %, and a model without skill is
 * promoted no more often than stated.
 */
import { fitSeriesForecaster } from '../../ml/forecast/forecast-series.js';
import { forecastAhead } from '../../ml/forecast/forecast-ahead.js';
import { createPrng } from '../../ml/random/prng.js';
import type { Prng } from '../../ml/random/prng.js';
import { judgeMeasure, skillOf } from '../../services/kinds/resource-usage/judge-usage-model.js';
import type { AccuracyRow } from './accuracy-row.js';

const COVERAGE_SERIES = 400;
const PROMOTION_RUNS = 200;
/** Each takes two seconds, and power need not be known to a hundredth. */
const POWER_RUNS = 60;
const MONTHS = 12;
const HOURS = 24;
const DAYS = 45;
/** Of a two-sided 95 % interval, the side that promotes. */
const STATED_FALSE_PROMOTIONS = 0.025;

/** What the next value is made of; the prng is the series' own. */
const SHAPES: Record<string, (prng: Prng, steps: number) => Float64Array> = {
  'season and noise': (prng, steps) => seasonal(prng, steps, 0, 0),
  'season, trend and lasting noise': (prng, steps) => seasonal(prng, steps, 0.05, 0.7),
  'a growing season': (prng, steps) => seasonal(prng, steps, 0.01, 0.3).map((value) => Math.exp(value / 10)),
  'a wandering level': (prng, steps) => {
    let level = 0;
    return seasonal(prng, steps, 0, 0).map((value) => value + (level += 0.5 * prng.nextGaussian()));
  },
};

function seasonal(prng: Prng, steps: number, slope: number, persistence: number): Float64Array {
  const season = Float64Array.from({ length: MONTHS }, () => 3 * prng.nextGaussian());
  let noise = 0;
  return Float64Array.from({ length: steps }, (_, t) => {
    noise = persistence * noise + prng.nextGaussian();
    return 20 + season[t % MONTHS]! + slope * t + noise;
  });
}

/**
 * Each value is `persistence` times that of a season before and chance: with 1 the seasonal naive forecast is the best there is, below it
 * can be beaten by a factor of sqrt((1 + persistence) / 2).
 */
function seasonalEcho(prng: Prng, steps: number, season: number, persistence: number): Float64Array {
  const values = new Float64Array(steps);
  for (let t = 0; t < steps; t++)
    values[t] = (t < season ? 5 * prng.nextGaussian() : persistence * values[t - season]!) + prng.nextGaussian();
  return values.map((value) => value + 100);
}

/** Share of the next 12 values inside their 90 % interval, over 400 series of 132 values. */
function measureCoverage(series = COVERAGE_SERIES): { coverage: number; standardError: number } {
  const shapes = Object.values(SHAPES);
  const shares = Array.from({ length: series }, (_, k) => {
    const values = shapes[k % shapes.length]!(createPrng(2024, k), 132 + MONTHS);
    const history = values.subarray(0, 132);
    const outcome = fitSeriesForecaster(history, { horizon: MONTHS, seasons: [MONTHS] });
    if (outcome.kind !== 'fitted') throw new Error(`series ${k} was not forecast: ${outcome.kind}`);
    const { lower, upper } = forecastAhead(outcome.model, history, MONTHS);
    return values.subarray(132).filter((value, step) => value >= lower[step]! && value <= upper[step]!).length / MONTHS;
  });
  const coverage = shares.reduce((sum, share) => sum + share, 0) / series;
  const variance = shares.reduce((sum, share) => sum + (share - coverage) ** 2, 0) / (series - 1);
  return { coverage, standardError: Math.sqrt(variance / series) };
}

/** How often the rule of promotion lets a model through, on series of 45 days of hours whose skill is known. */
function measurePromotions(persistence: number, runs = PROMOTION_RUNS): number {
  let promoted = 0;
  for (let run = 0; run < runs; run++) {
    const values = seasonalEcho(createPrng(7, Math.round(100 * persistence), run), DAYS * HOURS, HOURS, persistence);
    // As the service does unless told: four weeks of hours, 36 origins half a day apart.
    const outcome = fitSeriesForecaster(values, {
      horizon: HOURS,
      seasons: [HOURS],
      mostOrigins: 36,
      longestHistory: 28 * HOURS,
    });
    const table = { series: [{ id: 'simulated', startMs: 0, values: [values] }], stepMs: 3_600_000 };
    if (skillOf(judgeMeasure('cpu', [outcome], table, 0)).lower > 0) promoted++;
  }
  return promoted / runs;
}

/** The promises as rows beside what is promised. */
export function measureForecastPromises(): AccuracyRow[] {
  const base = { task: 'forecast', peer: 'promised', higherIsBetter: false };
  const { coverage, standardError } = measureCoverage();
  const error = (share: number): number => Math.sqrt((share * (1 - share)) / PROMOTION_RUNS);
  const without = measurePromotions(1);
  const some = measurePromotions(0.8, POWER_RUNS);
  const clear = measurePromotions(0.5, POWER_RUNS);
  return [
    {
      ...base,
      set: `${COVERAGE_SERIES} simulated series h=12`,
      metric: '|cover-.9|',
      ours: Math.abs(coverage - 0.9),
      standardError,
      peerValue: 0,
      limit: coverage < 0.9 ? 0.03 : 0.05,
      note: `coverage ${coverage.toFixed(3)}`,
    },
    {
      ...base,
      set: `${PROMOTION_RUNS} runs without skill`,
      metric: 'promoted',
      ours: without,
      standardError: error(STATED_FALSE_PROMOTIONS),
      peerValue: STATED_FALSE_PROMOTIONS,
      limit: 0,
      note: `with errors 5 % below those of seasonal naive ${some.toFixed(3)} are promoted, 13 % below ${clear.toFixed(3)}`,
    },
  ];
}
