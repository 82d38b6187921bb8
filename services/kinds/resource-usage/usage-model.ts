import type { ForecastSettings } from '../../../core/kinds/resource-usage.js';
import type { CurrentValueModel } from '../../../ml/forecast/current-value-model.js';
import type { ForecastBounds } from '../../../ml/forecast/forecast-bounds.js';
import type { SeriesForecaster } from '../../../ml/forecast/forecast-series.js';
import type { StepIntervals } from '../../../ml/forecast/step-intervals.js';

export const FORECASTS_FILE = 'forecasts.f64';
/** Steps that every stored series is forecast ahead: the longest horizon of a request. */
export const STEPS_AHEAD = 365;

/** The forecast of one measure of one series; its numbers lie in the file from `at` on. */
export type StoredMeasure =
  | {
      kind: 'fitted';
      /** Place of the first number: values, half-widths, then error paths. */
      at: number;
      paths: number;
      pathSteps: number;
      /** By which power of the step errors grow beyond their paths. */
      power: number;
      forecasters: string[];
      /** Why the intervals are rougher than they should be. */
      reason?: string;
    }
  | { kind: 'constant'; value: number }
  | { kind: 'refused'; reason: string };

export interface StoredSeries {
  id: string;
  /** Time of the step after its last measurement. */
  nextMs: number;
  /** In the order of the measures. */
  measures: StoredMeasure[];
}

/** A general forecaster as plain JSON. */
export type StoredGeneral = Omit<SeriesForecaster, 'intervals' | 'errorPaths'> & {
  intervals: Omit<StepIntervals, 'halfWidths'> & { halfWidths: number[] };
  errorPaths: number[][];
};

/** What a model of resource usage is besides its file. */
export interface UsageBody {
  settings: ForecastSettings;
  measures: { name: string; lower: number | null; upper: number | null; limit: number | null; coverage: number }[];
  facts: string[];
  stepMs: number;
  seasons: number[];
  seed: number;
  series: StoredSeries[];
  /** By measure; null where no series could be fitted. */
  general: (StoredGeneral | null)[];
  /** For requests without a history; null where the series were too short. */
  current: CurrentValueModel | null;
}

/** Bounds of a measure as forecasts take them. */
export const boundsOf = ({ lower, upper }: { lower: number | null; upper: number | null }): ForecastBounds => ({
  ...(lower === null ? {} : { lower }),
  ...(upper === null ? {} : { upper }),
});

export function storeGeneral({ intervals, errorPaths, ...rest }: SeriesForecaster): StoredGeneral {
  return {
    ...rest,
    intervals: { ...intervals, halfWidths: [...intervals.halfWidths] },
    // A gap in what came is no error.
    errorPaths: errorPaths.map((path) => Array.from(path, (error) => (Number.isNaN(error) ? 0 : error))),
  };
}

export function loadGeneral({ intervals, errorPaths, ...rest }: StoredGeneral): SeriesForecaster {
  return {
    ...rest,
    intervals: { ...intervals, halfWidths: Float64Array.from(intervals.halfWidths) },
    errorPaths: errorPaths.map((path) => Float64Array.from(path)),
  };
}

/** Numbers as little-endian doubles, on every machine. */
export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 8);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, i) => view.setFloat64(8 * i, number, true));
  return bytes;
}

/** @throws RangeError for bytes that are no whole numbers of doubles */
export function decodeNumbers(bytes: Uint8Array): Float64Array {
  if (bytes.byteLength % 8 !== 0) throw new RangeError(`${bytes.byteLength} bytes are no whole number of doubles`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
}
