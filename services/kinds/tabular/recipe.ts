import type { KindRecipe } from '../recipe.js';
import { buildTrainingTable } from './build-table.js';
import { crossValidateModel } from './cross-validate-model.js';
import { evaluateModel } from './evaluate-model.js';
import { fitModel } from './fit-model.js';
import { planTabular } from './plan.js';

/** Learns from one table, a row an example: user behaviour, project success, and anyone's own classes or numbers. */
export const tabularRecipe: KindRecipe = {
  plan: planTabular,
  buildTable: buildTrainingTable,
  fit: fitModel,
  crossValidate: crossValidateModel,
  evaluate: evaluateModel,
};
