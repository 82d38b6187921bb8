import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { MonitorSettings } from '../../core/schemas/monitor.js';
import { monitorJobSchema } from '../../core/schemas/monitor-run.js';
import type { ModelKind } from '../../core/names.js';
import { parseRequest } from '../parse-request.js';
import { modelDefinition, type ModelsConfig } from '../training/models-config.js';
import type { Database } from '../database/database.js';
import { readMonitor } from './monitor-settings.js';

/** All that a run of the monitors follows; decided once, so that no step sees other settings than the one before it. */
export interface MonitoringPlan {
  jobId: string;
  model: string;
  kind: ModelKind;
  /** End of the windows of this run, ISO. Each step takes its own length back from here; with it a finding is the same row again. */
  windowEnd: string;
  settings: MonitorSettings;
}

/** Where the steps of a run keep files while they work. */
export const monitoringFolder = (datasetsFolder: string, jobId: string) => join(datasetsFolder, '.monitoring', jobId);

const HOUR_MS = 3_600_000;

/** The last whole multiple of some hours, in UTC. */
export function lastWindowEnd(atMs: number, everyHours: number): Date {
  const stepMs = everyHours * HOUR_MS;
  return new Date(Math.floor(atMs / stepMs) * stepMs);
}

/**
 * Decides which windows a run judges, and by which settings.
 * @param due when the run was to start; a window that was asked for may not end after it
 * @throws ServiceError `request_invalid`, `model_not_found`
 */
export async function planMonitoring(
  { jobId, request, due }: { jobId: string; request: unknown; due: string },
  { database, readModelsConfig }: { database: Database; readModelsConfig: () => Promise<ModelsConfig> },
): Promise<MonitoringPlan> {
  const asked = parseRequest(monitorJobSchema, request);
  const definition = modelDefinition(await readModelsConfig(), asked.model);
  const { settings } = await readMonitor(definition, database);
  refuseFutureWindow(asked.window_end, Date.parse(due));
  const windowEnd = asked.window_end
    ? new Date(asked.window_end)
    : lastWindowEnd(Date.parse(due), settings.every_hours);
  return { jobId, model: definition.name, kind: definition.kind, windowEnd: windowEnd.toISOString(), settings };
}

/** @throws ServiceError `request_invalid` for a window that is not over: it would be judged by half of its rows */
export function refuseFutureWindow(windowEnd: string | undefined, nowMs: number): void {
  if (windowEnd === undefined || Date.parse(windowEnd) <= nowMs) return;
  throw new ServiceError('request_invalid', 'The window is not over yet: choose a window_end that has passed.', [
    { path: 'window_end', message: 'must not be later than now' },
  ]);
}
