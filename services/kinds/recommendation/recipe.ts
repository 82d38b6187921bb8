import type { KindRecipe } from '../recipe.js';
import { evaluateRecommendation } from './evaluate-recommender.js';
import { fitRecommendation } from './fit-recommender.js';
import { buildInteractionTable } from './interaction-table.js';
import { planRecommendation } from './plan.js';
import { recommendationSearch } from './search-recommender.js';

/** Learns which items a user turns to next from interaction events. */
export const recommendationRecipe: KindRecipe = {
  plan: planRecommendation,
  buildTable: buildInteractionTable,
  fit: fitRecommendation,
  search: recommendationSearch,
  evaluate: evaluateRecommendation,
};
