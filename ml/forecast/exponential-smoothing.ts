import { fitSmoothing } from './fit-smoothing.js';
import type { SmoothingFit } from './fit-smoothing.js';
import { usableSeasons } from './forecaster.js';
import type { FittedForecaster, Forecaster } from './forecaster.js';
import type { SmoothingForm } from './smoothing-recursion.js';

/** Longer seasons have more first states than their history can tell. */
const LONGEST_SEASON = 60;
/** A choice among the forms is made anew when the history has grown by this share. */
const GROWTH_OF_CHOICE = 0.15;

interface FittedSmoothing extends FittedForecaster {
  fit: SmoothingFit;
  /** Length of the history on which the form was chosen. */
  chosenAt: number;
}

/** Holt and Winters' smoothing with a damped trend and an added season (Winters 1960; Gardner and McKenzie 1985). */
export const holtWintersAdditive: Forecaster = {
  name: 'holt_winters_additive',
  fit: (values, seasons, { earlier } = {}) => {
    const period = smoothedSeason(values, seasons);
    return fitForm(values, dampedForm(period), period, values.length, earlier);
  },
};

/**
 * The same of the logarithms, so that season, trend and errors multiply: null where a value is not above 0, or without a season.
 * The likelihood of the form that multiplies the season by a level on the plain scale has hills that forecast worse than they fit:
 * on the airline series it has a MASE of 0.60 where the logarithms have 0.55 and the best hill of statsmodels 0.56.
 */
export const holtWintersMultiplicative: Forecaster = {
  name: 'holt_winters_multiplicative',
  fit: (values, seasons, { earlier } = {}) => {
    const period = smoothedSeason(values, seasons);
    if (!period || !values.every((value) => value > 0)) return null;
    const fitted = fitForm(values.map(Math.log), dampedForm(period), period, values.length, earlier);
    if (!fitted) return null;
    const forecast = (horizon: number): Float64Array => fitted.fit.forecast(horizon).map(Math.exp);
    return { ...fitted, forecast, details: { ...fitted.details, form: 'AAdA of logarithms' } };
  },
};

function dampedForm(period: number | undefined): SmoothingForm {
  return { error: 'additive', trend: 'damped', season: period ? 'additive' : 'none' };
}

/**
 * The exponential smoothing whose form has the best AICc (Hyndman and Khandakar 2008): errors, trend and season each additive,
 * multiplicative or absent, without the unstable combinations.
 */
export const autoSmoothing: Forecaster = {
  name: 'ets',
  fit: (values, seasons, { earlier } = {}) => {
    const period = smoothedSeason(values, seasons);
    const known = earlier as FittedSmoothing | undefined;
    if (known && values.length <= known.chosenAt * (1 + GROWTH_OF_CHOICE)) {
      const again = fitForm(values, known.fit.form, period, known.chosenAt, earlier);
      if (again) return again;
    }
    return chooseForm(values, formsFor(values, period), period);
  },
};

/** A smoothing without a season, for what is left after a decomposition. */
export const autoSmoothingWithoutSeason: Forecaster = {
  name: 'ets_no_season',
  fit: (values, _seasons, { earlier } = {}) => {
    const known = earlier as FittedSmoothing | undefined;
    if (known && values.length <= known.chosenAt * (1 + GROWTH_OF_CHOICE)) {
      const again = fitForm(values, known.fit.form, undefined, known.chosenAt, earlier);
      if (again) return again;
    }
    return chooseForm(values, formsFor(values, undefined), undefined);
  },
};

function smoothedSeason(values: Float64Array, seasons: readonly number[]): number | undefined {
  const season = usableSeasons(values.length, seasons)[0];
  return season !== undefined && season <= LONGEST_SEASON ? season : undefined;
}

function formsFor(values: Float64Array, period: number | undefined): SmoothingForm[] {
  const errors = values.every((value) => value > 0)
    ? (['additive', 'multiplicative'] as const)
    : (['additive'] as const);
  const seasons = period ? (['none', 'additive', 'multiplicative'] as const) : (['none'] as const);
  const trends = ['none', 'additive', 'damped'] as const;
  return errors
    .flatMap((error) => trends.flatMap((trend) => seasons.map((season) => ({ error, trend, season }))))
    .filter(({ error, season }) => !(error === 'additive' && season === 'multiplicative'));
}

function chooseForm(
  values: Float64Array,
  forms: readonly SmoothingForm[],
  period: number | undefined,
): FittedSmoothing | null {
  let best: FittedSmoothing | null = null;
  for (const form of forms) {
    const fitted = fitForm(values, form, period, values.length);
    if (fitted && (!best || fitted.fit.aicc < best.fit.aicc)) best = fitted;
  }
  return best;
}

function fitForm(
  values: Float64Array,
  form: SmoothingForm,
  period: number | undefined,
  chosenAt: number,
  earlier?: FittedForecaster,
): FittedSmoothing | null {
  const known = (earlier as FittedSmoothing | undefined)?.fit;
  const start = known && isSameForm(known.form, form) ? known.free : undefined;
  const fit = fitSmoothing(values, form, period ?? 1, { start });
  if (!fit) return null;
  const { alpha, beta, gamma, phi } = fit.parameters;
  const details = { form: nameOf(form), alpha, beta, gamma, phi, aicc: fit.aicc };
  return { fit, chosenAt, forecast: fit.forecast, details };
}

const isSameForm = (a: SmoothingForm, b: SmoothingForm): boolean => nameOf(a) === nameOf(b);

/** The usual short name: error, trend, season, such as `AAdM`. */
function nameOf({ error, trend, season }: SmoothingForm): string {
  const trendName = { none: 'N', additive: 'A', damped: 'Ad' }[trend];
  return `${error === 'additive' ? 'A' : 'M'}${trendName}${{ none: 'N', additive: 'A', multiplicative: 'M' }[season]}`;
}
