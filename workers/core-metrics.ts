import { MetricsBuffer } from '@temporalio/worker';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Tags of the SDK that come from closed sets; others are left out. */
const LABELS = [
  'namespace',
  'task_queue',
  'worker_type',
  'poller_type',
  'workflow_type',
  'activity_type',
  'operation',
  'status_code',
  'failure_reason',
] as const;
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];
/** Between two collections more updates than this are lost; a busy worker makes some hundreds a second. */
const MOST_UPDATES = 100_000;
const COLLECT_EVERY_MS = 1000;

/** The metrics of Temporal's SDK core (slots, pollers, latencies, failures), brought into the registry of the worker. */
export class CoreMetrics {
  readonly buffer = new MetricsBuffer({ maxBufferSize: MOST_UPDATES, useSecondsForDurations: true });
  readonly #known = new Map<string, Counter | Gauge | Histogram>();

  constructor(private readonly registry: Registry) {}

  /** From now on updates are collected; once the buffer is bound to the runtime. */
  start(): void {
    setInterval(() => this.collect(), COLLECT_EVERY_MS).unref();
  }

  /** Takes all updates since the last time. */
  collect(): void {
    for (const { metric, value, attributes } of this.buffer.retrieveUpdates()) {
      const labels = Object.fromEntries(
        LABELS.flatMap((name) => (attributes[name] === undefined ? [] : [[name, String(attributes[name])]])),
      );
      const known = this.#metricOf(metric);
      if (known instanceof Counter) known.inc(labels, value);
      else if (known instanceof Gauge) known.set(labels, value);
      else known.observe(labels, value);
    }
  }

  #metricOf(metric: { name: string; kind: string; description?: string; unit?: string }): Counter | Gauge | Histogram {
    let known = this.#known.get(metric.name);
    if (!known) this.#known.set(metric.name, (known = this.#create(metric)));
    return known;
  }

  /** By the names that the SDK has in Prometheus elsewhere: counters end in `_total`, durations in `_seconds`. */
  #create({ name, kind, description, unit }: { name: string; kind: string; description?: string; unit?: string }) {
    const options = { help: description || 'Of the Temporal SDK.', labelNames: LABELS, registers: [this.registry] };
    if (kind === 'counter') return new Counter({ ...options, name: name.replace(/(_total)?$/, '_total') });
    if (kind === 'histogram') {
      const isDuration = unit === 's' || unit === 'seconds' || unit === 'duration' || /latency|delay/.test(name);
      return new Histogram({ ...options, name: isDuration ? `${name}_seconds` : name, buckets: SECONDS });
    }
    return new Gauge({ ...options, name });
  }
}
