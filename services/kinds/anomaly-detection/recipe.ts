import { ServiceError } from '../../../core/errors.js';
import type { KindRecipe } from '../recipe.js';

const refuse = (): never => {
  throw new ServiceError('request_invalid', 'Models of the kind anomaly-detection cannot be trained in this release.');
};

/** Learns a model of the kind `anomaly_detection`. */
export const anomalyDetectionRecipe: KindRecipe = { plan: refuse, buildTable: refuse, fit: refuse, evaluate: refuse };
