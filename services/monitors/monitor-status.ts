import type { Client } from '@temporalio/client';
import { FINDING_STATES, type FindingState } from '../../core/monitoring/finding.js';
import type { Database } from '../database/database.js';
import type { ModelDefinition } from '../training/models-config.js';
import { presentFinding, readFindings } from './monitor-findings.js';
import { createMonitorSchedule } from './monitor-schedule.js';
import { readMonitor } from './monitor-settings.js';

const MOST_TOLD = 10;
const WORST: readonly FindingState[] = ['alarm', 'suspect', 'unknown'];

/** How a model is watched, when it was and will be, and what the latest windows show. */
export async function readMonitorStatus(
  definition: ModelDefinition,
  { database, temporal }: { database: Database; temporal: Client },
) {
  const model = definition.name;
  const [{ settings, declaredIn, updatedBy, updatedAt }, schedule, last, latest] = await Promise.all([
    readMonitor(definition, database),
    createMonitorSchedule(temporal, model).find(),
    database.prisma.job.findFirst({
      where: { type: 'monitor', model },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    }),
    readLatest(model, database),
  ]);
  return {
    model,
    settings,
    declared_in: declaredIn,
    updated_by: updatedBy ?? null,
    updated_at: updatedAt?.toISOString() ?? null,
    next_run: schedule?.next_runs[0] ?? null,
    last_run: last && {
      job_id: last.id,
      status: last.status,
      started_at: last.startedAt?.toISOString() ?? null,
      finished_at: last.finishedAt?.toISOString() ?? null,
    },
    findings: latest,
  };
}

/** What the newest windows of each monitor show. */
async function readLatest(model: string, database: Database) {
  const ends = await database.prisma.monitorFinding.groupBy({
    by: ['monitor'],
    where: { model },
    _max: { windowEnd: true },
  });
  const newest = ends.map(({ _max }) => _max.windowEnd).filter((end) => end !== null);
  if (newest.length === 0) return null;
  const from = new Date(Math.min(...newest.map(Number)));
  const endOf = new Map(ends.map(({ monitor, _max }) => [monitor, Number(_max.windowEnd)]));
  const found = (await readFindings(database, { model, from }, 10_000)).filter(
    ({ monitor, window }) => Number(window.end) === endOf.get(monitor),
  );
  const counts = Object.fromEntries(FINDING_STATES.map((state) => [state, 0])) as Record<FindingState, number>;
  for (const { state } of found) counts[state]++;
  const worst = WORST.flatMap((state) => found.filter((finding) => finding.state === state));
  return {
    window_end: new Date(Math.max(...newest.map(Number))).toISOString(),
    states: counts,
    worst: worst.slice(0, MOST_TOLD).map(presentFinding),
  };
}
