import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Buckets from a cached prediction to a slow start of a job. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of the API process. Labels come from closed sets: routes, status classes, models of the config. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    httpRequests: new Counter({
      name: 'mlops_http_requests_total',
      help: 'Requests answered, by route and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    httpDuration: new Histogram({
      name: 'mlops_http_request_duration_seconds',
      help: 'Time from the request to the end of the answer.',
      labelNames: ['method', 'route'],
      buckets: SECONDS,
      registers,
    }),
    predictions: new Counter({
      name: 'mlops_predictions_total',
      help: 'Predictions answered.',
      labelNames: ['model', 'version', 'cached'],
      registers,
    }),
    predictionDuration: new Histogram({
      name: 'mlops_prediction_duration_seconds',
      help: 'Time to encode, score and shape one prediction.',
      labelNames: ['model'],
      buckets: [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05],
      registers,
    }),
    logBuffered: new Gauge({
      name: 'mlops_prediction_log_buffered_rows',
      help: 'Predictions that wait to be written.',
      registers,
    }),
    logWritten: new Counter({
      name: 'mlops_prediction_log_written_total',
      help: 'Predictions written to the database.',
      registers,
    }),
    logDropped: new Counter({
      name: 'mlops_prediction_log_dropped_total',
      help: 'Predictions that could not be kept while the database was away.',
      registers,
    }),
    jobsStarted: new Counter({
      name: 'mlops_jobs_started_total',
      help: 'Jobs accepted.',
      labelNames: ['type'],
      registers,
    }),
    servedVersion: new Gauge({
      name: 'mlops_served_version_info',
      help: 'Always 1; the labels say which version of a model this process serves.',
      labelNames: ['model', 'version'],
      registers,
    }),
    dependencyUp: new Gauge({
      name: 'mlops_dependency_up',
      help: '1 while the dependency answers, else 0; as of the last health check.',
      labelNames: ['dependency'],
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
