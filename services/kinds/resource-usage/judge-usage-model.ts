import type { SkillEvidence } from '../../../core/policy/promotion.js';
import type { ForecastOutcome } from '../../../ml/forecast/forecast-series.js';
import { signedRankInterval } from '../../../ml/forecast/signed-rank-interval.js';
import type { TimedBand, TimedValue } from '../../reports/report-document.js';
import type { UsageTable } from './usage-table.js';

export const JUDGEMENT_FILE = 'judgement.json';

/** A stretch that was held back, with what was forecast for it. */
export interface HeldStretch {
  series: string;
  history: TimedValue[];
  forecast: TimedValue[];
  band: TimedBand[];
  actual: TimedValue[];
}

/** How well one measure was forecast at origins that no choice saw; plain JSON, written by the fit for the evaluation. */
export interface MeasureJudgement {
  measure: string;
  /** Series that were fitted, that never change, and that were refused. */
  fitted: number;
  constant: number;
  refused: number;
  /** By origin, counted back from the newest: mean MASE over the series, of the model and of the seasonal naive forecast. */
  origins: { error: number; baseError: number }[];
  /** Share of values inside their interval; null where none was measured. */
  coverage: number | null;
  measured: number;
  /** Mean MASE of each forecaster over the series, over the newest origins. */
  candidates: Record<string, number | null>;
  /** Series whose members together did not beat the seasonal naive forecast. */
  fallbacks: number;
  stretches: HeldStretch[];
}

const SHOWN_STRETCHES = 2;

type Fitted = Extract<ForecastOutcome, { kind: 'fitted' }>;

/** Gathers what the replays of one measure say. */
export function judgeMeasure(
  measure: string,
  outcomes: readonly ForecastOutcome[],
  table: Pick<UsageTable, 'series' | 'stepMs'>,
  at: number,
): MeasureJudgement {
  const fitted = outcomes.flatMap((outcome, k) => (outcome.kind === 'fitted' ? [{ outcome, k }] : []));
  const covered = fitted.reduce(
    (sum, { outcome: { evidence } }) => sum + (evidence.coverage * evidence.measured || 0),
    0,
  );
  const measured = fitted.reduce((sum, { outcome }) => sum + outcome.evidence.measured, 0);
  return {
    measure,
    fitted: fitted.length,
    constant: outcomes.filter(({ kind }) => kind === 'constant').length,
    refused: outcomes.filter(({ kind }) => kind === 'refused').length,
    origins: gatherOrigins(fitted.map(({ outcome }) => outcome)),
    coverage: measured > 0 ? covered / measured : fitted.length === 0 && outcomes.length > 0 ? 1 : null,
    measured,
    candidates: meanCandidates(fitted.map(({ outcome }) => outcome)),
    fallbacks: fitted.filter(({ outcome }) => outcome.model.isFallback).length,
    stretches: fitted.slice(0, SHOWN_STRETCHES).flatMap(({ outcome, k }) => showStretch(outcome, table, k, at)),
  };
}

/** Series are measured at the same times, so an origin of all of them is one witness, not many. Origins that overlap are left out. */
function gatherOrigins(fitted: readonly Fitted[]): MeasureJudgement['origins'] {
  const byPlace = new Map<number, { error: number; baseError: number; series: number }>();
  for (const { replayed, backtest } of fitted) {
    const apart = Math.max(1, Math.ceil(backtest.horizon / backtest.step));
    for (const { at, choseOn, error, baseError } of replayed) {
      const fromEnd = backtest.origins.length - 1 - at;
      if (choseOn < 5 || fromEnd % apart !== 0 || !Number.isFinite(error) || !Number.isFinite(baseError)) continue;
      const sum = byPlace.get(fromEnd) ?? { error: 0, baseError: 0, series: 0 };
      byPlace.set(fromEnd, {
        error: sum.error + error,
        baseError: sum.baseError + baseError,
        series: sum.series + 1,
      });
    }
  }
  return [...byPlace]
    .sort(([a], [b]) => a - b)
    .map(([, { error, baseError, series }]) => ({ error: error / series, baseError: baseError / series }));
}

function meanCandidates(fitted: readonly Fitted[]): Record<string, number | null> {
  const names = [...new Set(fitted.flatMap(({ candidates }) => Object.keys(candidates)))];
  return Object.fromEntries(
    names.map((name) => {
      const known = fitted.map(({ candidates }) => candidates[name]).filter((error) => Number.isFinite(error));
      return [name, known.length > 0 ? known.reduce((sum, error) => sum! + error!, 0)! / known.length : null];
    }),
  );
}

function showStretch(
  { replayed, backtest }: Fitted,
  table: Pick<UsageTable, 'series' | 'stepMs'>,
  k: number,
  at: number,
): HeldStretch[] {
  const newest = replayed.at(-1);
  const series = table.series[k]!;
  const values = series.values[at]!;
  if (!newest) return [];
  // Leading gaps are cut off before the fit; the newest origin is one horizon before the last measurement.
  const last = values.findLastIndex((value) => !Number.isNaN(value));
  const origin = last + 1 - backtest.horizon;
  const timeOf = (step: number): string => new Date(series.startMs + step * table.stepMs).toISOString();
  const timed = (list: Float64Array, from: number): TimedValue[] =>
    Array.from(list, (value, i) => ({ at: timeOf(from + i), value: Number.isNaN(value) ? null : value }));
  const from = Math.max(0, origin - 4 * backtest.horizon);
  return [
    {
      series: series.id,
      history: timed(values.slice(from, origin), from),
      forecast: timed(newest.forecast, origin),
      band: Array.from(newest.forecast, (value, i) => ({
        at: timeOf(origin + i),
        lower: value - newest.halfWidths[i]!,
        upper: value + newest.halfWidths[i]!,
      })),
      actual: timed(values.slice(origin, origin + backtest.horizon), origin),
    },
  ];
}

/**
 * The gain of a typical origin, by signed ranks: the seasonal naive forecast is far off on the few days that differ from the day
 * before, and Student's interval takes such gains for noise.
 */
export function skillOf({ measure, origins }: MeasureJudgement): SkillEvidence {
  const gains = Float64Array.from(origins, ({ error, baseError }) => baseError - error);
  const { difference, lower, upper } = signedRankInterval(gains);
  // Small gains at most origins do not make up for a loss on the whole.
  const total = gains.reduce((sum, gain) => sum + gain, 0);
  // With too few origins nothing is known: the verdict is stored as JSON, which has no infinity.
  const bounded = (value: number): number => Math.max(-1e9, Math.min(1e9, value));
  return {
    head: `${measure}_usage`,
    loss: 'mase',
    difference,
    lower: bounded(total > 0 ? lower : Math.min(0, lower)),
    upper: bounded(upper),
    entities: origins.length,
  };
}
