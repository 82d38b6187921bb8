import cluster from 'node:cluster';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { RoutingTable } from '../services/serving/routing-table.js';
import { answerSiblings, askSiblings } from './siblings.js';

/** What one process is asked so that a caller hears of all, whichever of them took the request. */
export function answerForThisProcess({ registry, routing }: { registry: Registry; routing: RoutingTable }): void {
  answerSiblings('metrics', () => registry.getMetricsAsJSON());
  answerSiblings('loaded version', (model) => routing.served(String(model))?.version ?? null);
}

/** The metrics of all API processes as one, in Prometheus' text format. */
export async function metricsOfAll(own: Registry): Promise<string> {
  // Joining leaves out what has no meaning for several processes, such as when one was started.
  if (!cluster.isWorker) return own.metrics();
  const all = (await askSiblings<MetricObject[]>('metrics')).filter((metrics) => metrics !== undefined);
  return AggregatorRegistry.aggregate(all).metrics();
}

/** @returns the version of a model that every API process has loaded, or null while they do not agree */
export async function versionLoadedByAll(model: string): Promise<string | null> {
  const [first, ...rest] = await askSiblings<string | null>('loaded version', model);
  return first !== undefined && rest.every((version) => version === first) ? first : null;
}
