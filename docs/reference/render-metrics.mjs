// metrics.md, from the registries of the processes.
import { InventoryMetrics } from '../../dist/services/telemetry/inventory-metrics.js';
import { createMetrics } from '../../dist/services/telemetry/metrics.js';
import { createWorkerMetrics } from '../../dist/services/telemetry/worker-metrics.js';
import { NOTE, code, table } from './markdown-table.mjs';

const isOurs = ({ name }) => name.startsWith('mlops_');
const rowsOf = (registry) =>
  registry
    .getMetricsAsArray()
    .filter(isOurs)
    .map((metric) => [
      code(metric.name),
      metric.constructor.name.toLowerCase(),
      metric.labelNames.map(code).join(', '),
      metric.help,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
const HEAD = ['Metric', 'Type', 'Labels', 'Meaning'];

export function renderMetrics() {
  const api = createMetrics().registry;
  const worker = createWorkerMetrics('pipeline_worker').registry;
  const inventory = new InventoryMetrics({ database: undefined, checkHealth: undefined }).registry;
  const own = (registry, prefix) => registry.getMetricsAsArray().filter(({ name }) => name.startsWith(prefix)).length;
  return `${NOTE}

# Metrics

\`GET /metrics\` of the API has those of all its processes and of the workers as one, for Prometheus; with \`Accept: application/openmetrics-text\` histograms carry
the trace of a call as an exemplar. [What to do with them](../guide/observability.md), and [about each alert](../runbooks/alerts.md).

Counters only grow, gauges go up and down, and of a histogram there are \`…_bucket\`, \`…_sum\` and \`…_count\`. Labels come from closed sets, so that their
number does not grow with callers.

## Of the API

${table(HEAD, rowsOf(api))}

## Of the workers

${table(HEAD, rowsOf(worker))}

## Of the whole service

As of at most 5 s ago; what cannot be looked at is not told at all.

${table(HEAD, rowsOf(inventory))}

## Of the runtime

Each process has ${own(api, 'process_')} \`process_…\` and ${own(api, 'nodejs_')} \`nodejs_…\` metrics of its runtime with the label \`component\`. The workers add
\`temporal_…\`, those of the Temporal SDK.
`;
}
