import type { ModelKind } from '../../core/names.js';
import type { ModelBundle } from '../artifacts/model-bundle.js';
import type { Scorer } from '../serving/scorer.js';
import { createAnomalyScorer } from './anomaly-detection/scorer.js';
import { createImportedScorer, IMPORTED } from './imported/scorer.js';
import { createRecommendationScorer } from './recommendation/scorer.js';
import { createForecastScorer } from './resource-usage/scorer.js';
import { createTabularScorer } from './tabular/scorer.js';

const SCORERS: Readonly<Record<ModelKind, (bundle: ModelBundle) => Scorer>> = {
  user_behavior: createTabularScorer,
  project_success: createTabularScorer,
  classification: createTabularScorer,
  regression: createTabularScorer,
  resource_usage: createForecastScorer,
  anomaly_detection: createAnomalyScorer,
  recommendation: createRecommendationScorer,
};

/** A stored model, ready to answer. @throws ServiceError `artifact_corrupt` */
export function createScorer(bundle: ModelBundle): Scorer {
  if (bundle.manifest.algorithm === IMPORTED) return createImportedScorer(bundle);
  return SCORERS[bundle.manifest.kind](bundle);
}
