import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recommendOptionsSchema } from '../../../core/kinds/recommendation.js';
import { judgePromotion } from '../../../core/policy/promotion.js';
import type { MetricEstimate } from '../../../ml/evaluate/metrics.js';
import type { GoldenCase } from '../../artifacts/model-bundle.js';
import type { ReportDocument } from '../../reports/report-document.js';
import { readStagedJson } from '../../storage/staged-file.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome, OnProgress } from '../recipe.js';
import { RECOMMENDATION_FILES, type RecommendationBody } from './fit-recommender.js';
import type { Catalogue } from './interaction-table.js';
import { RecommendationModel } from './recommendation-model.js';
import { buildRecommendationReport } from './report.js';
import { numbersOf } from './scorer.js';
import { JUDGEMENT_FILE, type JudgementFigures, type StagedJudgement } from './staged-judgement.js';

/** Users whose answers are stored with the version, so that every later load can be held to them. */
const GOLDEN_USERS = 12;
/** Nobody has this id: control characters are refused in requests. */
const UNKNOWN_USER = '\u0000';

/** Reports how good the fit found itself on what users took last, and writes down golden answers. */
export async function evaluateRecommendation(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<{ evaluation: Evaluation; golden: GoldenCase[]; report: ReportDocument }> {
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  const judgement = await readStagedJson<StagedJudgement>(join(staging, JUDGEMENT_FILE));
  const { refusal, comparison, judged, popular } = judgement;
  // Where the model was refused the popular items answer, and their figures are the version's.
  const answering = refusal ? popular : judged;
  const evidence = comparison && {
    head: 'items',
    loss: 'ndcg_at_10' as const,
    difference: comparison.difference,
    lower: comparison.lower,
    upper: comparison.upper,
    entities: judged?.users ?? 0,
  };
  const evaluation: Evaluation = {
    metrics: { items: { ...metricsOf(answering, ''), ...metricsOf(popular, 'popular_') } },
    verdict: judgePromotion(evidence ? [evidence] : []),
    trainingRows: fit.trainingRows,
    holdoutRows: judged?.users ?? 0,
    warnings: fit.warnings,
    ...(refusal && judged ? { details: { refused: metricsOf(judged, '') } } : {}),
  };
  const golden = await goldenCases(staging, fit.body as RecommendationBody);
  onProgress(1, 'items');
  return { evaluation, golden, report: buildRecommendationReport(plan, fit, evaluation, judgement) };
}

function metricsOf(figures: JudgementFigures | undefined, prefix: string): Record<string, MetricEstimate> {
  if (!figures) return {};
  const { users: rows, recallAt10, ndcgAt10, coverage, intervals } = figures;
  return {
    [`${prefix}recall_at_10`]: { value: recallAt10, ...intervals.recallAt10, rows },
    [`${prefix}ndcg_at_10`]: { value: ndcgAt10, ...intervals.ndcgAt10, rows },
    [`${prefix}coverage`]: { value: coverage, lower: null, upper: null, rows },
  };
}

async function goldenCases(staging: string, body: RecommendationBody): Promise<GoldenCase[]> {
  const { model: modelFile, histories, catalogue: catalogueFile } = RECOMMENDATION_FILES;
  const bytesOf = (file: string) => readFile(join(staging, file));
  const catalogue = await readStagedJson<Catalogue>(join(staging, catalogueFile));
  const files = { model: await bytesOf(modelFile), histories: await bytesOf(histories) };
  const model = new RecommendationModel(files, catalogue, body);
  const { users } = catalogue;
  const step = Math.max(1, Math.floor(users.length / GOLDEN_USERS));
  const known = users.filter((_, index) => index % step === 0).slice(0, GOLDEN_USERS);
  const options = recommendOptionsSchema.parse({ limit: 10 });
  return [...known, UNKNOWN_USER].map((entityId) => ({
    input: { entityId, features: {}, options },
    outputs: { items: numbersOf(model.recommend(entityId, options)) },
  }));
}
