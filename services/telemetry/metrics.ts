import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { exemplarLabels } from './exemplar-labels.js';
import { createJobMetrics } from './job-metrics.js';

/** Buckets from a cached prediction to a slow start of a job. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of the API process. Labels come from closed sets: routes, status classes, models of the config. */
export function createMetrics() {
  // The type that exemplars ask for; `renderMetrics` writes both formats all the same.
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  collectDefaultMetrics({ register: registry, labels: { component: 'api' } });
  const registers = [registry];
  const metrics = {
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
      enableExemplars: true,
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
      enableExemplars: true,
      registers,
    }),
    logBuffered: new Gauge({
      name: 'mlops_prediction_log_buffered_rows',
      help: 'Predictions that wait on disk to be written to the database.',
      registers,
    }),
    logWritten: new Counter({
      name: 'mlops_prediction_log_written_total',
      help: 'Predictions written to the database.',
      registers,
    }),
    logDropped: new Counter({
      name: 'mlops_prediction_log_dropped_total',
      help: 'Predictions that were answered and could not be kept: the spool was full, the disk failed, or the database refused the row.',
      registers,
    }),
    eventsTaken: new Counter({
      name: 'mlops_events_taken_total',
      help: 'Events that were acknowledged; the same one again counts again.',
      registers,
    }),
    eventsRejected: new Counter({
      name: 'mlops_events_rejected_total',
      help: 'Events that were turned away because something is wrong with them.',
      registers,
    }),
    eventsWaiting: new Gauge({
      name: 'mlops_events_waiting_rows',
      help: 'Events that wait on disk to be written to the database.',
      registers,
    }),
    cacheLookups: new Counter({
      name: 'mlops_prediction_cache_lookups_total',
      help: 'Predictions that were looked for in the cache: found in the memory of the process, in Redis, or not at all (miss).',
      labelNames: ['result'],
      registers,
    }),
    sharedCacheUp: new Gauge({
      name: 'mlops_prediction_cache_redis_up',
      help: '1 while Redis is asked for predictions, 0 while it is slow, away, or not configured.',
      aggregator: 'min',
      registers,
    }),
    outcomesDropped: new Counter({
      name: 'mlops_outcomes_dropped_total',
      help: 'Outcomes that were taken while the database was away and then did not fit any prediction, or could not be kept.',
      registers,
    }),
    outcomesStored: new Counter({
      name: 'mlops_outcomes_stored_total',
      help: 'Reports of what turned out to be true that were joined to their prediction; the same one again counts again.',
      labelNames: ['model'],
      registers,
    }),
    requestsRefused: new Counter({
      name: 'mlops_requests_refused_total',
      help: 'Requests answered 429 or 504 before any work was done for them.',
      labelNames: ['reason'],
      registers,
    }),
    shadowSkipped: new Counter({
      name: 'mlops_shadow_skipped_total',
      help: 'Requests that the version in shadow did not score, because too many were waiting for it already.',
      labelNames: ['model'],
      registers,
    }),
    drillPassed: new Gauge({
      name: 'mlops_drill_passed',
      help: '1 when the latest drill of the kind found rollouts to be safe, else 0.',
      labelNames: ['kind', 'model'],
      aggregator: 'min',
      registers,
    }),
    drillFinished: new Gauge({
      name: 'mlops_drill_finished_timestamp_seconds',
      help: 'When the latest drill of the kind ended.',
      labelNames: ['kind', 'model'],
      aggregator: 'max',
      registers,
    }),
    drillDetection: new Gauge({
      name: 'mlops_drill_detection_seconds',
      help: 'Of the latest drill: from the first answer of a bad version to the verdict against it.',
      labelNames: ['fault', 'strategy'],
      aggregator: 'max',
      registers,
    }),
    drillSafety: new Gauge({
      name: 'mlops_drill_safety_seconds',
      help: 'Of the latest drill: from the first answer of a bad version until every process answered with the good one.',
      labelNames: ['fault', 'strategy'],
      aggregator: 'max',
      registers,
    }),
    drillFalseAlarms: new Gauge({
      name: 'mlops_drill_false_alarm_ratio',
      help: 'Of the latest replay: the share of splits without a difference that would have been rolled back.',
      labelNames: ['model'],
      aggregator: 'max',
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
      aggregator: 'max',
      registers,
    }),
  };
  return {
    ...metrics,
    onJobEnd: createJobMetrics(registry),
    countPrediction: predictionCounter(metrics),
    countCache: cacheCounter(metrics),
    countRequest: requestCounter(metrics),
  };
}

/** A metric with its labels filled in costs a fraction of one whose labels are looked up each time. */
function remember<T>(make: (...labels: string[]) => T): (...labels: string[]) => T {
  const known = new Map<string, T>();
  return (...labels) => {
    const key = labels.join(' ');
    let child = known.get(key);
    if (child === undefined) known.set(key, (child = make(...labels)));
    return child;
  };
}

function predictionCounter(of: { predictions: Counter; predictionDuration: Histogram }) {
  const counted = remember((...labels) => of.predictions.labels(...labels));
  const timed = remember((model) => of.predictionDuration.labels(model!));
  /** Counts predictions of a version, and the time that one of them took. */
  return (model: string, version: string, cached: boolean, seconds: number, rows = 1): void => {
    counted(model, version, String(cached)).inc(rows);
    const exemplar = exemplarLabels();
    if (exemplar) of.predictionDuration.observe({ labels: { model }, value: seconds, exemplarLabels: exemplar });
    else timed(model).observe(seconds);
  };
}

function cacheCounter(of: { cacheLookups: Counter }) {
  const counted = remember((result) => of.cacheLookups.labels(result!));
  return (result: 'memory' | 'redis' | 'miss'): void => counted(result).inc();
}

function requestCounter(of: { httpRequests: Counter; httpDuration: Histogram }) {
  const counted = remember((...labels) => of.httpRequests.labels(...labels));
  const timed = remember((method, route) => of.httpDuration.labels(method!, route!));
  /** Counts an answered request. */
  return (method: string, route: string, status: number, seconds: number): void => {
    counted(method, route, String(status)).inc();
    const exemplar = exemplarLabels();
    if (exemplar) of.httpDuration.observe({ labels: { method, route }, value: seconds, exemplarLabels: exemplar });
    else timed(method, route).observe(seconds);
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
