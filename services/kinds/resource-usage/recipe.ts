import type { KindRecipe } from '../recipe.js';
import { evaluateUsageModel } from './evaluate-usage-model.js';
import { fitUsageModel } from './fit-usage-model.js';
import { planResourceUsage } from './plan.js';
import { forecastSearch } from './search-forecasters.js';
import { buildUsageTable } from './usage-table.js';

/** Learns to forecast measurements over time. */
export const resourceUsageRecipe: KindRecipe = {
  plan: planResourceUsage,
  buildTable: buildUsageTable,
  fit: fitUsageModel,
  search: forecastSearch,
  evaluate: evaluateUsageModel,
};
