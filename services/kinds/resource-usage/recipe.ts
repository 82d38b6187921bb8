import { ServiceError } from '../../../core/errors.js';
import type { KindRecipe } from '../recipe.js';

const refuse = (): never => {
  throw new ServiceError('request_invalid', 'Models of the kind resource-usage cannot be trained in this release.');
};

/** Learns a model of the kind `resource_usage`. */
export const resourceUsageRecipe: KindRecipe = { plan: refuse, buildTable: refuse, fit: refuse, evaluate: refuse };
