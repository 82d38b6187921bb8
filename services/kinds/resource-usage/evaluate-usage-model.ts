import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judgePromotion } from '../../../core/policy/promotion.js';
import { bootstrapIntervals, resampledMean } from '../../../ml/evaluate/bootstrap.js';
import type { MetricEstimate } from '../../../ml/evaluate/metrics.js';
import type { GoldenCase } from '../../artifacts/model-bundle.js';
import type { ReportDocument } from '../../reports/report-document.js';
import { readStagedJson } from '../../storage/staged-file.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome, OnProgress } from '../recipe.js';
import { JUDGEMENT_FILE, skillOf, type MeasureJudgement } from './judge-usage-model.js';
import { buildUsageReport } from './report.js';
import { decodeNumbers, FORECASTS_FILE, type UsageBody } from './usage-model.js';
import { UsageForecaster } from './usage-forecaster.js';

const LEVEL = 0.95;
const GOLDEN_SERIES = 6;
const GOLDEN_HORIZON = 48;

/** Reports what the replayed choices reached on origins that came after them, and writes down golden answers. */
export async function evaluateUsageModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<{ evaluation: Evaluation; golden: GoldenCase[]; report: ReportDocument }> {
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  const judgements = await readStagedJson<MeasureJudgement[]>(join(staging, JUDGEMENT_FILE));
  const numbers = decodeNumbers(await readFile(join(staging, FORECASTS_FILE)));
  const body = fit.body as UsageBody;
  const metrics = Object.fromEntries(
    judgements.map((judgement) => [`${judgement.measure}_usage`, metricsOf(judgement, plan.seed)]),
  );
  // A measure that never changes is answered without a choice: there is nothing to prove about it.
  const varying = judgements.filter(({ constant, fitted, refused }) => fitted > 0 || constant === 0 || refused > 0);
  const evaluation: Evaluation = {
    metrics,
    verdict: judgePromotion(varying.map(skillOf)),
    trainingRows: fit.trainingRows,
    holdoutRows: judgements.reduce((sum, { measured }) => sum + measured, 0),
    details: { fallbacks: Object.fromEntries(judgements.map(({ measure, fallbacks }) => [measure, fallbacks])) },
  };
  onProgress(0.5, 'golden answers');
  const golden = goldenCases(new UsageForecaster(body, numbers), body);
  const report = buildUsageReport(plan, fit, evaluation, judgements);
  onProgress(1, 'reported');
  return { evaluation, golden, report };
}

function metricsOf({ origins, coverage, measured }: MeasureJudgement, seed: number): Record<string, MetricEstimate> {
  return {
    mase: meanOf(
      origins.map(({ error }) => error),
      seed,
    ),
    seasonal_naive_mase: meanOf(
      origins.map(({ baseError }) => baseError),
      seed,
    ),
    coverage: { value: coverage, lower: null, upper: null, rows: measured },
  };
}

function meanOf(values: readonly number[], seed: number): MetricEstimate {
  const rows = values.length;
  if (rows === 0) return { value: null, lower: null, upper: null, rows };
  const list = Float64Array.from(values);
  const value = list.reduce((sum, error) => sum + error / rows, 0);
  const [interval] = bootstrapIntervals(rows, [resampledMean(list)], [value], LEVEL, seed);
  return rows < 2 ? { value, lower: null, upper: null, rows } : { value, ...interval!, rows };
}

function goldenCases(forecaster: UsageForecaster, body: UsageBody): GoldenCase[] {
  const features = Object.fromEntries([
    ...body.measures.map(({ name, upper }) => [`current_${name}`, (upper ?? 1) / 2] as const),
    ['trend', 0.02] as const,
  ]);
  const options = { forecast_horizon: GOLDEN_HORIZON };
  const inputs = [
    ...body.series.slice(0, GOLDEN_SERIES).map(({ id }) => ({ entityId: id, features: {}, options })),
    ...(body.current ? [{ features, options }] : []),
  ];
  return inputs.map((input) => ({ input, outputs: forecaster.outputs(input) }));
}
