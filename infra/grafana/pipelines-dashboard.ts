import { chart, stat, type DashboardSpec } from './dashboard-spec.js';

/** The work in the background: jobs, activities, workers and what they need. */
export const PIPELINES: DashboardSpec = {
  uid: 'mlops-pipelines',
  title: 'ML pipeline: jobs and workers',
  hasModels: false,
  rows: [
    {
      title: 'Jobs',
      panels: [
        stat(
          'Under way',
          'short',
          { '{{status}}': 'sum by (status) (mlops_jobs{status=~"queued|running"}) or vector(0)' },
          'Jobs that have not ended.',
        ),
        stat(
          'Failed within an hour',
          'short',
          { failed: 'sum(increase(mlops_jobs_ended_total{status="failed"}[1h])) or vector(0)' },
          'GET /jobs?status=failed says why.',
        ),
        chart('By state', 'short', { '{{type}} {{status}}': 'mlops_jobs' }, 'All jobs that the database has.'),
        chart(
          'Duration, p90 of a day',
          's',
          {
            '{{type}}':
              'histogram_quantile(0.9, sum by (type, le) (increase(mlops_job_duration_seconds_bucket{status="completed"}[1d])))',
          },
          'From the first step to the end, of completed jobs.',
        ),
      ],
    },
    {
      title: 'Activities',
      panels: [
        chart(
          'Attempts by outcome',
          'ops',
          { '{{activity}} {{outcome}}': 'sum by (activity, outcome) (rate(mlops_activities_total[$__rate_interval]))' },
          'Failed attempts are tried again.',
        ),
        chart(
          'Duration, p90',
          's',
          {
            '{{activity}}':
              'histogram_quantile(0.9, sum by (activity, le) (rate(mlops_activity_duration_seconds_bucket[$__rate_interval])))',
          },
          'Of one attempt.',
        ),
      ],
    },
    {
      title: 'Workers and Temporal',
      panels: [
        chart(
          'Tasks that wait',
          'short',
          { '{{queue}} {{kind}}': 'mlops_task_queue_backlog_tasks' },
          'Trainings wait for a slot; all else should not wait.',
        ),
        chart(
          'Age of the oldest task',
          's',
          { '{{queue}} {{kind}}': 'mlops_task_queue_backlog_age_seconds' },
          'More than a minute on the queue of the pipeline means that a worker is missing or stuck.',
        ),
        chart(
          'Pollers',
          'short',
          { '{{queue}} {{kind}}': 'mlops_task_queue_pollers' },
          'None means that no worker lives.',
        ),
        chart(
          'Slots in use',
          'short',
          { '{{task_queue}} {{worker_type}}': 'temporal_worker_task_slots_used' },
          'What the workers do at the same time.',
        ),
        chart(
          'From scheduled to started, p90',
          's',
          {
            '{{task_queue}}':
              'histogram_quantile(0.9, sum by (task_queue, le) (rate(temporal_activity_schedule_to_start_latency_seconds_bucket[$__rate_interval])))',
          },
          'How long activities wait for a slot.',
        ),
        chart(
          'Requests to Temporal',
          'reqps',
          { '{{operation}}': 'sum by (operation) (rate(temporal_request_total[$__rate_interval]))' },
          'Of the workers.',
        ),
      ],
    },
    {
      title: 'What it needs',
      panels: [
        chart('Dependencies', 'short', { '{{dependency}}': 'mlops_dependency_up' }, '1 while it answers.'),
        chart(
          'Latency of dependencies',
          's',
          { '{{dependency}}': 'mlops_dependency_latency_seconds' },
          'Of one check.',
        ),
        chart(
          'Spools',
          'percentunit',
          { '{{spool}}': 'mlops_spool_bytes / mlops_spool_limit_bytes' },
          'Share of what may wait.',
        ),
        chart('Free disk', 'bytes', { '{{folder}}': 'mlops_disk_free_bytes' }, 'Below 1 GiB an alert tells.'),
        chart(
          'Memory',
          'bytes',
          { '{{component}}': 'process_resident_memory_bytes' },
          'Of all processes of a component.',
        ),
        chart(
          'Processor',
          'short',
          { '{{component}}': 'rate(process_cpu_seconds_total[$__rate_interval])' },
          'Cores that a component uses.',
        ),
      ],
    },
  ],
};
