import { chart, stat, type DashboardSpec } from './dashboard-spec.js';

/** What callers meet: rate, errors, duration, and what predictions need. */
export const SERVING: DashboardSpec = {
  uid: 'mlops-serving',
  title: 'ML pipeline: serving',
  hasModels: true,
  rows: [
    {
      title: 'Now',
      panels: [
        stat(
          'Requests',
          'reqps',
          { requests: 'sum(rate(mlops_http_requests_total[$__rate_interval]))' },
          'Of all routes.',
        ),
        stat(
          'Failed',
          'percentunit',
          {
            failed:
              '(sum(rate(mlops_http_requests_total{status=~"5.."}[$__rate_interval])) or vector(0)) / sum(rate(mlops_http_requests_total[$__rate_interval]))',
          },
          'Share of the requests that got no answer through our fault. The allowance is 0.1 %.',
        ),
        stat(
          'Turned away',
          'reqps',
          { refused: 'sum(rate(mlops_requests_refused_total[$__rate_interval])) or vector(0)' },
          'Answered 429 or 504 before any work was done.',
        ),
        stat(
          'Degraded states',
          'short',
          { states: 'sum(mlops_degraded_state) or vector(0)' },
          'GET /health names them and says what they affect.',
        ),
      ],
    },
    {
      title: 'Requests',
      panels: [
        chart(
          'Rate by route',
          'reqps',
          { '{{route}}': 'sum by (route) (rate(mlops_http_requests_total[$__rate_interval]))' },
          'Requests answered.',
        ),
        chart(
          'Rate by status',
          'reqps',
          { '{{status}}': 'sum by (status) (rate(mlops_http_requests_total[$__rate_interval]))' },
          '4xx is the fault of the caller, 5xx is ours.',
        ),
        chart(
          'Duration of requests, p99',
          's',
          {
            '{{route}}':
              'histogram_quantile(0.99, sum by (route, le) (rate(mlops_http_request_duration_seconds_bucket[$__rate_interval])))',
          },
          'Dots are examples; each leads to its trace where traces are sent.',
        ),
        chart(
          'Event loop lag, p99',
          's',
          { '{{component}}': 'nodejs_eventloop_lag_p99_seconds' },
          'How late a process is with its work. Above a quarter of a second it is too busy.',
        ),
      ],
    },
    {
      title: 'Predictions',
      panels: [
        chart(
          'Rate by model and version',
          'reqps',
          {
            '{{model}} {{version}}':
              'sum by (model, version) (rate(mlops_predictions_total{model=~"$model"}[$__rate_interval]))',
          },
          'During a canary both versions are seen.',
        ),
        chart(
          'Duration of one prediction',
          's',
          {
            '{{model}} p50':
              'histogram_quantile(0.5, sum by (model, le) (rate(mlops_prediction_duration_seconds_bucket{model=~"$model"}[$__rate_interval])))',
            '{{model}} p99':
              'histogram_quantile(0.99, sum by (model, le) (rate(mlops_prediction_duration_seconds_bucket{model=~"$model"}[$__rate_interval])))',
          },
          'To encode, score and shape it, without HTTP.',
        ),
        chart(
          'Cache',
          'reqps',
          { '{{result}}': 'sum by (result) (rate(mlops_prediction_cache_lookups_total[$__rate_interval]))' },
          'Where answers were found.',
        ),
        chart(
          'Log of predictions',
          'short',
          {
            'written a second': 'sum(rate(mlops_prediction_log_written_total[$__rate_interval]))',
            waiting: 'mlops_prediction_log_buffered_rows',
            'lost a second': 'sum(rate(mlops_prediction_log_dropped_total[$__rate_interval]))',
          },
          'What waits grows while the database is away; nothing may be lost.',
        ),
      ],
    },
  ],
};
