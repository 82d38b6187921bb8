import { ServiceError } from '../../core/errors.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import type { OnlineFeatures } from '../features/online-features.js';
import type { Metrics } from '../telemetry/metrics.js';
import { armOf, type Arm } from './assign-arm.js';
import { fillFeatures, hasViews } from './fill-features.js';
import { newPredictionId } from './prediction-id.js';
import type { PredictionLog } from './prediction-log.js';
import type { ActiveRollout, ServedModel } from './routing-table.js';

/** Shadow scores that wait for a quiet moment; more than this are left out, so that a shadow never slows an answer down. */
const MOST_WAITING = 256;

/** What the log keeps as the reason why a version gave no answer. */
export const failureCode = (error: unknown): string => (error instanceof ServiceError ? error.code : 'internal_error');

/** The arm of a request, by its entity; a request without one is a unit of its own. */
export function armOfInput({ deploymentId, share }: ActiveRollout, input: PredictInput): Arm {
  return armOf(deploymentId, input.entityId ?? newPredictionId(Date.now()), share);
}

/**
 * Scores what was answered with the version under trial as well, after the answer. Its score goes to the log only.
 * @returns what takes an answered request
 */
export function createShadowScorer({
  log,
  metrics,
  onlineFeatures,
}: {
  log: PredictionLog;
  metrics: Metrics;
  onlineFeatures: OnlineFeatures;
}) {
  let waiting = 0;

  async function score(
    { deploymentId, candidate }: ActiveRollout,
    input: PredictInput,
    correlationId: string,
    shadowOf: string,
  ): Promise<void> {
    const startMs = performance.now();
    let predictions: object = {};
    let error: string | undefined;
    try {
      const filled = hasViews(candidate) ? (await fillFeatures(onlineFeatures, candidate, [input]))[0]!.input : input;
      ({ predictions } = candidate.scorer.predict(filled));
    } catch (failure) {
      error = failureCode(failure);
    }
    const latencyUs = Math.round((performance.now() - startMs) * 1000);
    const { model, version } = candidate;
    log.add(
      { model, version, correlationId, cohort: { trialId: deploymentId, arm: 'shadow' } },
      {
        entityId: input.entityId,
        features: {},
        predictions,
        latencyUs,
        cached: false,
        error,
        shadowOf,
        caller: input.caller,
      },
    );
  }

  return (served: ServedModel, input: PredictInput, correlationId: string, predictionId: string): void => {
    const { rollout } = served;
    if (rollout?.phase !== 'shadow') return;
    if (waiting >= MOST_WAITING) return metrics.shadowSkipped.inc({ model: served.model });
    waiting++;
    setImmediate(() => {
      waiting--;
      void score(rollout, input, correlationId, predictionId);
    });
  };
}
