import { shapeForecast } from '../../../core/kinds/resource-usage.js';
import { decodeFile, type ModelBundle } from '../../artifacts/model-bundle.js';
import type { Scorer } from '../../serving/scorer.js';
import { readUsageRequest } from './read-usage-request.js';
import { UsageForecaster } from './usage-forecaster.js';
import { decodeNumbers, FORECASTS_FILE, type UsageBody } from './usage-model.js';

/** Forecasts stored series, histories, and what follows from the values of now. @throws ServiceError `artifact_corrupt` */
export function createForecastScorer(bundle: ModelBundle): Scorer {
  const body = bundle.manifest.body as UsageBody;
  const forecaster = new UsageForecaster(body, decodeFile(bundle, FORECASTS_FILE, decodeNumbers));
  return {
    bundle,
    isByEntity: true,
    predict(input) {
      const { forecasts, start } = forecaster.forecast(input);
      return shapeForecast(forecasts, start, body.settings);
    },
    outputs: (input) => forecaster.outputs(input),
    // A combination of forecasters has no contributions of features; who is in it is part of the answer.
    explain: () => undefined,
    warnings: (input) => readUsageRequest(body, input).warnings,
  };
}
