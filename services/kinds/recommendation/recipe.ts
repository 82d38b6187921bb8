import { ServiceError } from '../../../core/errors.js';
import type { KindRecipe } from '../recipe.js';

const refuse = (): never => {
  throw new ServiceError('request_invalid', 'Models of the kind recommendation cannot be trained in this release.');
};

/** Learns a model of the kind `recommendation`. */
export const recommendationRecipe: KindRecipe = { plan: refuse, buildTable: refuse, fit: refuse, evaluate: refuse };
