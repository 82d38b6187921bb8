import cluster from 'node:cluster';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { RoutingTable } from '../services/serving/routing-table.js';
import { answerSiblings, askSiblings } from './siblings.js';

interface AskedProcess {
  registry: Registry;
  routing: RoutingTable;
  /** Brings what is spooled to the database and forgets what was answered. */
  forget: () => Promise<Forgotten>;
}

export interface Forgotten {
  /** Answers that were in memory. */
  forgotten: number;
  /** Rows that could not be brought to the database. */
  waiting: number;
}

/** What one process is asked so that a caller hears of all, whichever of them took the request. */
export function answerForThisProcess({ registry, routing, forget }: AskedProcess): void {
  answerSiblings('metrics', () => registry.getMetricsAsJSON());
  answerSiblings('forget', forget);
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

/** Has all API processes forget. @returns the sums; a process that did not answer in time counts as one row that waits */
export async function forgetInAll(): Promise<Forgotten & { processes: number }> {
  const answers = await askSiblings<Forgotten>('forget');
  const sum = (of: (one: Forgotten) => number) => answers.reduce((total, one) => total + (one ? of(one) : 0), 0);
  return {
    processes: answers.length,
    forgotten: sum((one) => one.forgotten),
    waiting: sum((one) => one.waiting) + answers.filter((one) => one === undefined).length,
  };
}
