import { chart, stat, type DashboardSpec } from './dashboard-spec.js';

/** What the service has come to: versions, rollouts, feedback, data. */
export const MODELS: DashboardSpec = {
  uid: 'mlops-models',
  title: 'ML pipeline: models and data',
  hasModels: true,
  rows: [
    {
      title: 'Models',
      panels: [
        chart(
          'Versions by stage',
          'short',
          { '{{model}} {{stage}}': 'sum by (model, stage) (mlops_model_versions{model=~"$model"})' },
          'What became of the versions that were trained.',
        ),
        stat(
          'Served',
          'short',
          { '{{model}} {{version}}': 'mlops_served_version_info{model=~"$model"}' },
          'Which version answers.',
          12,
        ),
        chart(
          'Predictions and what became known of them',
          'reqps',
          {
            '{{model}} predictions':
              'sum by (model) (rate(mlops_predictions_total{model=~"$model"}[$__rate_interval]))',
            '{{model}} outcomes':
              'sum by (model) (rate(mlops_outcomes_stored_total{model=~"$model"}[$__rate_interval]))',
          },
          'Without outcomes no rollout can be judged by what turned out to be true.',
        ),
        chart(
          'Time of a training, p90 of a day',
          's',
          {
            '{{model}}':
              'histogram_quantile(0.9, sum by (model, le) (increase(mlops_training_duration_seconds_bucket{model=~"$model"}[1d])))',
          },
          'From the first step to the registered version.',
        ),
      ],
    },
    {
      title: 'Monitors',
      panels: [
        chart(
          'Findings of a day',
          'short',
          {
            '{{model}} {{monitor}} {{state}} {{severity}}': 'mlops_monitor_findings{model=~"$model"} or vector(0)',
          },
          'GET /monitors/{model} says what was found, and what to do.',
          24,
        ),
        chart(
          'How well the versions do',
          'short',
          {
            '{{model}} {{version}} {{metric}} {{kind}}': 'mlops_model_quality{model=~"$model"} or vector(0)',
          },
          'By the newest window whose truths are due, and what is expected without truths.',
        ),
        chart(
          'Alerts',
          'short',
          { '{{model}} {{status}} {{severity}}': 'sum by (model, status, severity) (mlops_alerts) or vector(0)' },
          'GET /alerts has each with its evidence.',
        ),
        chart(
          'False alarms of a year',
          'short',
          { '{{model}}': 'mlops_false_alarms{model=~"$model"} or vector(0)' },
          'What people have marked as false. GET /alerts/budget says how many a model may have.',
        ),
        chart(
          'Repairs',
          'short',
          { '{{model}} {{state}}': 'mlops_repairs{model=~"$model"} or vector(0)' },
          'GET /repairs/{id} tells the story of each.',
        ),
      ],
    },
    {
      title: 'Rollouts',
      panels: [
        chart(
          'Rollouts by state',
          'short',
          { '{{model}} {{strategy}} {{state}}': 'mlops_deployments{model=~"$model"}' },
          'What became of them.',
        ),
        chart(
          'Judged windows by verdict',
          'short',
          { '{{model}} {{verdict}}': 'mlops_rollout_windows{model=~"$model"} or vector(0)' },
          'GET /deployments/{id}/evidence has each with its rule.',
        ),
      ],
    },
    {
      title: 'Data',
      panels: [
        chart('Rows', 'short', { '{{data_type}}': 'mlops_dataset_rows' }, 'Of all datasets of a type.'),
        chart(
          'Share in quarantine',
          'percentunit',
          {
            '{{data_type}}': 'mlops_dataset_quarantined_rows / (mlops_dataset_rows + mlops_dataset_quarantined_rows)',
          },
          'Rows that failed a check.',
        ),
        chart(
          'Events',
          'reqps',
          {
            taken: 'sum(rate(mlops_events_taken_total[$__rate_interval]))',
            rejected: 'sum(rate(mlops_events_rejected_total[$__rate_interval]))',
          },
          'Events that were acknowledged, and those that were turned away.',
        ),
        chart(
          'Messages to webhooks',
          'short',
          { '{{state}}': 'mlops_webhook_messages or vector(0)' },
          'Dead ones were given up.',
        ),
      ],
    },
  ],
};
