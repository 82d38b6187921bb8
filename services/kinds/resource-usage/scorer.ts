import { ServiceError } from '../../../core/errors.js';
import type { ModelBundle } from '../../artifacts/model-bundle.js';
import type { Scorer } from '../../serving/scorer.js';

/** @throws ServiceError `artifact_corrupt` */
export function createForecastScorer(bundle: ModelBundle): Scorer {
  throw new ServiceError(
    'artifact_corrupt',
    `${bundle.manifest.model}: models of the kind resource-usage cannot be served in this release.`,
  );
}
