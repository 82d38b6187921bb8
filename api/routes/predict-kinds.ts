import type { ModelKind } from '../../core/names.js';

/** How the predictions of the five kinds that come with the service are asked for, for the OpenAPI document. */
export const KIND_PREDICTIONS: readonly {
  path: string;
  kind: ModelKind;
  summary: string;
  description: string;
  example: object;
}[] = [
  {
    path: 'user-behavior',
    kind: 'user_behavior',
    summary: 'Will this user leave, how engaged are they, what do they do next?',
    description:
      '`predictions`: `churn_probability`, `engagement_level` (low, medium, high), `next_activity`. With `recent_activities`, the types of ' +
      'the latest events with the latest last, the next activity is told from their order too, where the version learned to.',
    example: {
      user_id: 'user_123',
      features: { activity_score: 0.8, project_count: 5, collaboration_score: 0.6, ai_usage_frequency: 0.7 },
    },
  },
  {
    path: 'project-success',
    kind: 'project_success',
    summary: 'Will this project succeed, how long does it take, what endangers it?',
    description:
      '`predictions`: `success_probability`, `completion_time_estimate` in days with `completion_time_interval`, `risk_factors` and ' +
      '`recommendations`. The factors are the features that lower the success probability the most, by the model’s own attributions, ' +
      'named by the rules of the config; `no_major_risks` and `project_looks_good` when there are none.',
    example: {
      project_id: 'proj_456',
      features: { complexity_score: 0.7, team_size: 3, duration_estimate: 45, technology_maturity: 0.8 },
    },
  },
  {
    path: 'resource-usage',
    kind: 'resource_usage',
    summary: 'Forecast CPU, memory and storage',
    description:
      'From `features` of now, a `series_id` of the training data, or a `history` of measurements. `predictions`: `cpu_usage_forecast`, ' +
      '`memory_usage_forecast` and `storage_usage_forecast`, each with `forecast_horizon` values; `intervals` that hold 90 % of what ' +
      'comes; `limits` with the probability of reaching each within the horizon; `scaling_recommendations`: `current_scaling_adequate`, ' +
      'or `scale_up_cpu_by_25_percent` where that probability is 0.2 or more. `confidence_scores` are the measured shares of values ' +
      'inside the intervals.',
    example: {
      features: {
        current_cpu: 0.65,
        current_memory: 0.72,
        current_storage: 0.45,
        user_count: 150,
        trend: 0.02,
      },
      forecast_horizon: 30,
    },
  },
  {
    path: 'anomaly-detection',
    kind: 'anomaly_detection',
    summary: 'Is this measurement unusual, of what type, how bad?',
    description:
      '`threshold` is the sensitivity: it stands for a false alarm rate of 1 in 2,000 normal rows at 0, 1 in 100 at 0.5, 1 in 5 at 1. ' +
      '`predictions`: `is_anomaly`, `anomaly_score` (log10 of the conformal p-value over that rate: below 0 is anomalous, each unit ' +
      'lower ten times rarer), `anomaly_type`, `severity` (none, low, medium, high, critical) and `recommendations`, by the tables of the config. ' +
      'With a `history` of earlier measurements of the same series the row is judged beside its own past too, and `expected` says what is ' +
      'usual at its time of day, or of the week.',
    example: {
      features: { cpu_usage: 0.95, memory_usage: 0.88, request_rate: 1500, error_rate: 0.15 },
      threshold: 0.5,
    },
  },
  {
    path: 'recommendations',
    kind: 'recommendation',
    summary: 'What should this user see next?',
    description:
      '`predictions.items`: `item_id`, `score` (0 to 1, about the chance that this is the user’s next item) and `reason`: ' +
      '`because_of_item` or `similar_content` with the item of the user’s history in `because_of`, `popular`, or `popular_new_user` for ' +
      'a user of whom nothing is known, or `exploration` for an item that was drawn; `propensity` is the chance that its place had of ' +
      'holding it. Items that the user has are left out. `context` asks for attributes of the items, `exclude` ' +
      'keeps items out, `recent_items` adds what the user took since the training.',
    example: { user_id: 'user_123', limit: 5, exclude: ['item_7'], context: { item_type: 'template' } },
  },
];
