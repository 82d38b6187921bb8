import { statfs } from 'node:fs/promises';
import { releaseVersion } from '../release-version.js';
import type { SpoolState } from '../spool/spool.js';
import { checkDependencies, type Dependencies } from './check-dependencies.js';
import {
  nameDegradedStates,
  type DegradedState,
  type DependencyHealth,
  type DiskState,
  type Observations,
} from './degraded-states.js';

export interface Health extends Observations {
  status: 'ok' | 'degraded';
  degraded: DegradedState[];
  version: string;
  uptime_seconds: number;
  serving: { model: string; version: string }[];
}

export type LastErrors = Record<string, { message: string; at: string }>;

export interface HealthMonitorOptions extends Dependencies {
  routing: { all(): { model: string; version: string }[]; unserved(): string[] };
  /** The latest failures that the other API processes know. */
  lastErrorsOfAll: () => Promise<LastErrors[]>;
  spoolsOfAll: () => Promise<Record<string, SpoolState>>;
}

/** Looks at all that the service needs, and remembers what went wrong last. */
export class HealthMonitor {
  /** What this process has met. */
  readonly lastErrors: LastErrors = {};
  #checking: Promise<Health> | undefined;

  constructor(private readonly options: HealthMonitorOptions) {}

  /** Asks every dependency anew; calls that come meanwhile get the same answer. */
  check(): Promise<Health> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async #check(): Promise<Health> {
    const { routing, lastErrorsOfAll, spoolsOfAll } = this.options;
    const [{ dependencies, taskQueues }, spools, disks] = await Promise.all([
      checkDependencies(this.options),
      spoolsOfAll(),
      this.#disks(),
    ]);
    for (const [name, { error }] of Object.entries(dependencies))
      if (error !== undefined) this.lastErrors[name] = { message: error, at: new Date().toISOString() };
    const known = newestOf([this.lastErrors, ...(await lastErrorsOfAll())]);
    const observed: Observations = {
      dependencies: Object.fromEntries(
        Object.entries(dependencies).map(([name, checked]): [string, DependencyHealth] => [
          name,
          { ...checked, last_error: known[name] ?? null },
        ]),
      ),
      task_queues: taskQueues,
      spools,
      disks,
      not_served: routing.unserved(),
    };
    const degraded = nameDegradedStates(observed);
    return {
      status: degraded.length === 0 ? 'ok' : 'degraded',
      degraded,
      version: releaseVersion(),
      uptime_seconds: Math.round(process.uptime()),
      ...observed,
      serving: routing.all().map(({ model, version }) => ({ model, version })),
    };
  }

  async #disks(): Promise<Record<string, DiskState>> {
    const { stateDir, modelStoragePath, dataStoragePath } = this.options.config;
    const folders = { state: stateDir, models: modelStoragePath, data: dataStoragePath };
    const measured = await Promise.all(
      Object.entries(folders).map(async ([name, path]) => [name, await measureDisk(path)] as const),
    );
    return Object.fromEntries(measured.flatMap(([name, disk]) => (disk ? [[name, disk]] : [])));
  }
}

/** @returns undefined for a folder that cannot be looked at; the check of the storage says so */
async function measureDisk(path: string): Promise<DiskState | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    return { free_bytes: bavail * bsize, total_bytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

/** Of each dependency the latest error. */
function newestOf(all: readonly LastErrors[]): LastErrors {
  const newest: LastErrors = {};
  for (const [name, error] of all.flatMap((errors) => Object.entries(errors)))
    if (!newest[name] || newest[name].at < error.at) newest[name] = error;
  return newest;
}
