import { bundleFolder, loadModelBundle } from '../artifacts/model-bundle.js';
import { createScorer } from '../kinds/scorers.js';
import { injectFault } from './inject-fault.js';
import type { Scorer } from './scorer.js';
import { selfTest } from './self-test.js';

/**
 * Loads a stored version, checks every digest and holds it to its golden rows: the only way to a model that answers anybody.
 * @throws ServiceError `artifact_corrupt` or `deployment_check_failed`.
 */
export async function loadScorer(
  modelStoragePath: string,
  model: string,
  digest: string,
): Promise<{ scorer: Scorer; goldenRows: number }> {
  const bundle = await loadModelBundle(bundleFolder(modelStoragePath, model, digest), digest);
  const scorer = injectFault(createScorer(bundle));
  return { scorer, goldenRows: selfTest(scorer).rows };
}
