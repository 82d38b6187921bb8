import type { KindRecipe } from '../recipe.js';
import { buildTrainingTable } from './build-table.js';
import { crossValidateModel } from './cross-validate-model.js';
import { evaluateModel } from './evaluate-model.js';
import { FOLDS } from './fit-head.js';
import { fitModel } from './fit-model.js';
import { openTabularTrials } from './open-trials.js';
import { planTabular } from './plan.js';
import { tabularMetrics } from './trial-metrics.js';
import { applyTabularConfiguration, checkTabularSpace, defaultTabularSpace } from './search-space.js';

/** Learns from one table, a row an example: user behaviour, project success, and anyone's own classes or numbers. */
export const tabularRecipe: KindRecipe = {
  hasVariants: true,
  plan: planTabular,
  buildTable: buildTrainingTable,
  fit: fitModel,
  crossValidate: crossValidateModel,
  evaluate: evaluateModel,
  search: {
    unasked: () => ({ trials: 20, timeout_seconds: 600 }),
    defaultSpace: defaultTabularSpace,
    checkSpace: checkTabularSpace,
    metrics: tabularMetrics,
    resource: { name: 'folds', least: 1, most: FOLDS },
    apply: applyTabularConfiguration,
    openTrials: openTabularTrials,
  },
};
