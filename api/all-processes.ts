import type { Registry } from 'prom-client';
import type { HealthMonitor, LastErrors } from '../services/health/health-monitor.js';
import type { RoutingTable } from '../services/serving/routing-table.js';
import type { SpoolState } from '../services/spool/spool.js';
import type { InventoryMetrics } from '../services/telemetry/inventory-metrics.js';
import { mergeMetrics, type MeasuredMetric } from '../services/telemetry/merge-metrics.js';
import type { LogLevelState, LogLevelSwitch } from '../services/telemetry/log-level.js';
import { readWorkerMetrics } from '../services/telemetry/read-worker-metrics.js';
import { answerSiblings, askSiblings } from './siblings.js';

interface AskedProcess {
  registry: Registry;
  routing: RoutingTable;
  /** Brings what is spooled to the database and forgets what was answered. */
  forget: () => Promise<Forgotten>;
  /** Brings the events that were taken to the database. @returns how many still wait */
  flushEvents: () => Promise<number>;
  /** What waits on disk. */
  spools: () => Record<string, SpoolState>;
  health: HealthMonitor;
  logLevel: LogLevelSwitch;
}

export interface Forgotten {
  /** Answers that were in memory. */
  forgotten: number;
  /** Rows that could not be brought to the database. */
  waiting: number;
}

/** What one process is asked so that a caller hears of all, whichever of them took the request. */
export function answerForThisProcess({
  registry,
  routing,
  forget,
  flushEvents,
  spools,
  health,
  logLevel,
}: AskedProcess): void {
  answerSiblings('metrics', () => registry.getMetricsAsJSON());
  answerSiblings('spools', spools);
  answerSiblings('log level', () => logLevel.follow());
  answerSiblings('last errors', () => health.lastErrors);
  answerSiblings('forget', forget);
  answerSiblings('flush events', flushEvents);
  answerSiblings('loaded version', (model) => routing.served(String(model))?.version ?? null);
  answerSiblings('version alone', (model) => {
    const served = routing.served(String(model));
    return served && !served.rollout ? served.version : null;
  });
}

/** The metrics of all API processes and of the workers of this machine, and what there is in the service, as one. */
export async function metricsOfAll(stateDir: string, inventory: InventoryMetrics): Promise<MeasuredMetric[]> {
  const [processes, workers, stock] = await Promise.all([
    askSiblings<MeasuredMetric[]>('metrics'),
    readWorkerMetrics(stateDir),
    inventory.measure(),
  ]);
  return mergeMetrics([...processes.filter((metrics) => metrics !== undefined), ...workers, stock]);
}

/** What waits on disk in all API processes together. */
export async function spoolsOfAll(): Promise<Record<string, SpoolState>> {
  const sums: Record<string, SpoolState> = {};
  const answers = await askSiblings<Record<string, SpoolState>>('spools');
  for (const [name, { rows, bytes, most_bytes }] of answers.flatMap((answer) => Object.entries(answer ?? {}))) {
    const sum = (sums[name] ??= { rows: 0, bytes: 0, most_bytes: 0 });
    sum.rows += rows;
    sum.bytes += bytes;
    sum.most_bytes += most_bytes;
  }
  return sums;
}

/** Has all API processes take the level that was set. @returns what holds now */
export async function logLevelOfAll(): Promise<LogLevelState> {
  const states = await askSiblings<LogLevelState>('log level');
  // The process that asks is always among those that answer.
  return states.find((state) => state !== undefined)!;
}

/** What each API process knows to have gone wrong last. */
export async function lastErrorsOfAll(): Promise<LastErrors[]> {
  return (await askSiblings<LastErrors>('last errors')).filter((errors) => errors !== undefined);
}

/** @returns the version of a model that every API process has loaded, or null while they do not agree */
export async function versionLoadedByAll(model: string): Promise<string | null> {
  return agreed(await askSiblings<string | null>('loaded version', model));
}

/** @returns the version that answers for a model in every API process with none on trial beside it, or null while that is not so */
export async function versionAloneInAll(model: string): Promise<string | null> {
  return agreed(await askSiblings<string | null>('version alone', model));
}

const agreed = ([first, ...rest]: (string | null | undefined)[]) =>
  first !== undefined && rest.every((version) => version === first) ? first : null;

/** Has all API processes bring the events that they have acknowledged to the database. */
export async function flushEventsOfAll(): Promise<void> {
  await askSiblings<number>('flush events');
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
