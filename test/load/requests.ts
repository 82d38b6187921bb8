import type { Arrival } from '../../bench/open-loop.js';

/** Different bodies that are sent in turn, so that each comes again and its answers can be compared. */
const BODIES = 200;

const share = (index: number, step: number) => ((index * step) % 199) / 199;

/** A request of a kind, by its path below `/predict`. */
const REQUESTS: Record<string, (index: number) => object> = {
  user_behavior: (index) => ({
    user_id: `user_${index}`,
    features: {
      activity_score: share(index, 7),
      project_count: index % 20,
      collaboration_score: share(index, 11),
      ai_usage_frequency: share(index, 13),
    },
  }),
  project_success: (index) => ({
    project_id: `project_${index}`,
    features: {
      complexity_score: share(index, 7),
      team_size: 1 + (index % 12),
      duration_estimate: 10 + (index % 90),
      technology_maturity: share(index, 11),
    },
  }),
  anomaly_detection: (index) => ({
    features: {
      cpu_usage: share(index, 7),
      memory_usage: share(index, 11),
      request_rate: 10 * (index % 200),
      error_rate: share(index, 13) / 5,
    },
  }),
  resource_usage: (index) => ({
    features: {
      current_cpu: share(index, 7),
      current_memory: share(index, 11),
      current_storage: share(index, 13),
      user_count: 10 + index,
      trend: 0.01,
    },
    forecast_horizon: 7,
  }),
  recommendation: (index) => ({ user_id: `user_${index}`, limit: 5 }),
};

/** Models that the load knows how to ask. */
export const KNOWN_MODELS = Object.keys(REQUESTS);

/** @param models of KNOWN_MODELS, asked in turn */
export function arrivalOf(models: readonly string[], index: number): Arrival {
  const model = models[index % models.length]!;
  const body = REQUESTS[model]!(Math.floor(index / models.length) % BODIES);
  return {
    path: `/predict/${model === 'recommendation' ? 'recommendations' : model.replaceAll('_', '-')}`,
    body: JSON.stringify(body),
  };
}
