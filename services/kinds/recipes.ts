import type { ModelKind } from '../../core/names.js';
import { anomalyDetectionRecipe } from './anomaly-detection/recipe.js';
import type { KindRecipe } from './recipe.js';
import { recommendationRecipe } from './recommendation/recipe.js';
import { resourceUsageRecipe } from './resource-usage/recipe.js';
import { tabularRecipe } from './tabular/recipe.js';

/** How each kind learns. */
export const RECIPES: Readonly<Record<ModelKind, KindRecipe>> = {
  user_behavior: tabularRecipe,
  project_success: tabularRecipe,
  classification: tabularRecipe,
  regression: tabularRecipe,
  resource_usage: resourceUsageRecipe,
  anomaly_detection: anomalyDetectionRecipe,
  recommendation: recommendationRecipe,
};
