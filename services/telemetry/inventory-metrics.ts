import { Gauge, Registry } from 'prom-client';
import type { Database } from '../database/database.js';
import type { Health } from '../health/health-monitor.js';
import { releaseVersion } from '../release-version.js';
import { within } from '../within.js';
import type { MeasuredMetric } from './merge-metrics.js';

/** What is known is told for so long before it is looked at again. */
const FRESH_MS = 5000;
const TIMEOUT_MS = 2000;

/** What the database is asked for: each row gives the labels of a series, and its columns from `value` on its numbers. */
const COUNTS = [
  {
    metric: { name: 'mlops_jobs', help: 'Jobs, by type and state.', labelNames: ['type', 'status'] },
    sql: 'SELECT type, status, count(*)::int AS value FROM jobs GROUP BY 1, 2',
  },
  {
    metric: {
      name: 'mlops_model_versions',
      help: 'Versions of models, by their stage.',
      labelNames: ['model', 'stage'],
    },
    sql: 'SELECT model, state AS stage, count(*)::int AS value FROM model_versions GROUP BY 1, 2',
  },
  {
    metric: {
      name: 'mlops_deployments',
      help: 'Rollouts, by strategy and what became of them.',
      labelNames: ['model', 'strategy', 'state'],
    },
    sql: 'SELECT model, strategy, state, count(*)::int AS value FROM deployments GROUP BY 1, 2, 3',
  },
  {
    metric: {
      name: 'mlops_rollout_windows',
      help: 'Windows of rollouts that were judged, by their verdict.',
      labelNames: ['model', 'verdict'],
    },
    sql: `SELECT d.model, e.verdict ->> 'verdict' AS verdict, count(*)::int AS value
      FROM deployment_evidence e JOIN deployments d ON d.id = e.deployment_id GROUP BY 1, 2`,
  },
  {
    metric: { name: 'mlops_experiments', help: 'Experiments, by state.', labelNames: ['model', 'state'] },
    sql: 'SELECT model, state, count(*)::int AS value FROM experiments GROUP BY 1, 2',
  },
  {
    metric: { name: 'mlops_datasets', help: 'Datasets, by type of their data.', labelNames: ['data_type'] },
    sql: 'SELECT data_type, count(*)::int AS value FROM datasets GROUP BY 1',
  },
  {
    metric: { name: 'mlops_dataset_rows', help: 'Rows of all datasets of a type.', labelNames: ['data_type'] },
    sql: 'SELECT data_type, sum(rows)::float8 AS value FROM datasets GROUP BY 1',
  },
  {
    metric: {
      name: 'mlops_dataset_quarantined_rows',
      help: 'Rows that were put into quarantine, of all datasets of a type.',
      labelNames: ['data_type'],
    },
    sql: 'SELECT data_type, sum(quarantined_rows)::float8 AS value FROM datasets GROUP BY 1',
  },
  {
    metric: {
      name: 'mlops_monitor_findings',
      help: 'What monitors found within the last 24 hours, by state and severity.',
      labelNames: ['model', 'monitor', 'state', 'severity'],
    },
    sql: `SELECT model, monitor, state, severity, count(*)::int AS value FROM monitor_findings
      WHERE found_at > now() - interval '24 hours' GROUP BY 1, 2, 3, 4`,
  },
  {
    metric: {
      name: 'mlops_model_quality',
      help: 'How well a version does by the newest window that a monitor could judge within 7 days, all rows: realised from truths, or estimated without them.',
      labelNames: ['model', 'version', 'kind', 'metric'],
    },
    sql: `SELECT DISTINCT ON (model, subject) model, coalesce(version, '') AS version,
        CASE split_part(subject, ':', 1) WHEN 'metric' THEN 'realised' ELSE 'estimated' END AS kind,
        split_part(subject, ':', 2) AS metric, value
      FROM monitor_findings WHERE monitor = 'performance' AND segment = '' AND value IS NOT NULL
        AND split_part(subject, ':', 1) IN ('metric', 'estimate') AND window_end > now() - interval '7 days'
      ORDER BY model, subject, window_end DESC`,
  },
  {
    metric: {
      name: 'mlops_alerts',
      help: 'Alerts, by status and severity; those that are resolved for 24 hours. Without a model they are of the service itself.',
      labelNames: ['model', 'monitor', 'status', 'severity'],
    },
    sql: `SELECT model, monitor, status, severity, count(*)::int AS value FROM alerts
      WHERE status <> 'resolved' OR resolved_at > now() - interval '24 hours' GROUP BY 1, 2, 3, 4`,
  },
  {
    metric: {
      name: 'mlops_false_alarms',
      help: 'Alerts of the last 365 days that a person has marked as false: what is used of the yearly budget of the model.',
      labelNames: ['model'],
    },
    sql: `SELECT model, count(*) FILTER (WHERE false_alarm)::int AS value FROM alerts
      WHERE opened_at > now() - interval '365 days' GROUP BY 1`,
  },
  {
    metric: {
      name: 'mlops_alert_messages',
      help: 'Messages about alerts, by kind of receiver and state.',
      labelNames: ['receiver', 'state'],
    },
    sql: `SELECT split_part(receiver, ':', 1) AS receiver, state, count(*)::int AS value FROM alert_deliveries GROUP BY 1, 2`,
  },
  {
    metric: {
      name: 'mlops_repairs',
      help: 'Repairs, by how they ended; those under way are running.',
      labelNames: ['model', 'state'],
    },
    sql: 'SELECT model, state, count(*)::int AS value FROM repairs GROUP BY 1, 2',
  },
  {
    metric: { name: 'mlops_webhook_messages', help: 'Messages to webhooks, by state.', labelNames: ['state'] },
    sql: 'SELECT state, count(*)::int AS value FROM webhook_deliveries GROUP BY 1',
  },
];

/**
 * What there is at present, as gauges: of the whole service, not of one process, so the process that is asked tells it alone. What cannot be
 * looked at is not told at all, rather than as it was once.
 */
export class InventoryMetrics {
  readonly registry = new Registry();
  readonly #counts = COUNTS.map(({ metric, sql }) => ({ gauge: this.#gauge(metric), sql }));
  readonly #dependencyUp = this.#gauge({
    name: 'mlops_dependency_up',
    help: '1 while the dependency answers, else 0.',
    labelNames: ['dependency'],
  });
  readonly #dependencyLatency = this.#gauge({
    name: 'mlops_dependency_latency_seconds',
    help: 'How long the dependency took to answer, or until it was given up.',
    labelNames: ['dependency'],
  });
  readonly #backlog = this.#gauge({
    name: 'mlops_task_queue_backlog_tasks',
    help: 'Tasks that wait for a worker, about.',
    labelNames: ['queue', 'kind'],
  });
  readonly #backlogAge = this.#gauge({
    name: 'mlops_task_queue_backlog_age_seconds',
    help: 'How long the oldest of these tasks has waited.',
    labelNames: ['queue', 'kind'],
  });
  readonly #pollers = this.#gauge({
    name: 'mlops_task_queue_pollers',
    help: 'Pollers of live workers.',
    labelNames: ['queue', 'kind'],
  });
  readonly #spoolBytes = this.#gauge({
    name: 'mlops_spool_bytes',
    help: 'Bytes on disk that wait to be brought to the database.',
    labelNames: ['spool'],
  });
  readonly #spoolLimit = this.#gauge({
    name: 'mlops_spool_limit_bytes',
    help: 'Bytes that the spool may take.',
    labelNames: ['spool'],
  });
  readonly #diskFree = this.#gauge({
    name: 'mlops_disk_free_bytes',
    help: 'Bytes that are free on the disk of a folder.',
    labelNames: ['folder'],
  });
  readonly #degraded = this.#gauge({
    name: 'mlops_degraded_state',
    help: '1 for each state that /health names.',
    labelNames: ['state'],
  });
  #refreshedMs = -Infinity;
  #refreshing: Promise<void> | undefined;

  constructor(private readonly options: { database: Database; checkHealth: () => Promise<Health> }) {
    this.#gauge({ name: 'mlops_build_info', help: 'Always 1.', labelNames: ['version'] }).set(
      { version: releaseVersion() },
      1,
    );
  }

  async measure(): Promise<MeasuredMetric[]> {
    if (performance.now() - this.#refreshedMs > FRESH_MS) {
      this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
      await this.#refreshing;
    }
    return this.registry.getMetricsAsJSON() as Promise<unknown> as Promise<MeasuredMetric[]>;
  }

  #gauge(metric: { name: string; help: string; labelNames: string[] }): Gauge {
    return new Gauge({ ...metric, registers: [this.registry] });
  }

  async #refresh(): Promise<void> {
    await Promise.all([this.#count(), this.#noteHealth()]);
    this.#refreshedMs = performance.now();
  }

  async #count(): Promise<void> {
    const { pool } = this.options.database;
    const ask = async ({ gauge, sql }: { gauge: Gauge; sql: string }) => {
      const answer = await within(TIMEOUT_MS, pool.query<Record<string, string> & { value: number }>(sql)).catch(
        () => undefined,
      );
      gauge.reset();
      for (const { value, ...labels } of answer?.rows ?? []) gauge.set(labels, value);
    };
    // One after the other: a scrape must not take the connections of others.
    for (const count of this.#counts) await ask(count);
  }

  async #noteHealth(): Promise<void> {
    const health = await this.options.checkHealth();
    for (const [dependency, { status, latency_ms: ms }] of Object.entries(health.dependencies)) {
      this.#dependencyUp.set({ dependency }, status === 'up' ? 1 : 0);
      this.#dependencyLatency.set({ dependency }, ms / 1000);
    }
    for (const gauge of [this.#backlog, this.#backlogAge, this.#pollers, this.#diskFree, this.#degraded]) gauge.reset();
    for (const { queue, kind, backlog, oldest_seconds: age, pollers } of health.task_queues) {
      this.#backlog.set({ queue, kind }, backlog);
      this.#backlogAge.set({ queue, kind }, age);
      this.#pollers.set({ queue, kind }, pollers);
    }
    for (const [spool, { bytes, most_bytes: most }] of Object.entries(health.spools)) {
      this.#spoolBytes.set({ spool }, bytes);
      this.#spoolLimit.set({ spool }, most);
    }
    for (const [folder, { free_bytes: free }] of Object.entries(health.disks)) this.#diskFree.set({ folder }, free);
    for (const { state } of health.degraded) this.#degraded.set({ state }, 1);
  }
}
