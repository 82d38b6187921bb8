import type { KindRecipe } from '../recipe.js';
import { buildAnomalyTable } from './anomaly-table.js';
import { evaluateAnomalyModel } from './evaluate-anomaly-model.js';
import { fitAnomalyModel } from './fit-anomaly-model.js';
import { planAnomalyDetection } from './plan.js';
import { anomalySearch } from './search-anomalies.js';

/** Learns what is normal, without a target. */
export const anomalyDetectionRecipe: KindRecipe = {
  plan: planAnomalyDetection,
  buildTable: buildAnomalyTable,
  fit: fitAnomalyModel,
  search: anomalySearch,
  evaluate: evaluateAnomalyModel,
};
