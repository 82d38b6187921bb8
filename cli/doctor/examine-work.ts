import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../connection.js';
import { formatSeconds } from '../terminal.js';
import { warning, well, type Finding, type Health } from './finding.js';

const QUEUED_LONG_SECONDS = 300;
/** Training may take as long as MAX_TRAINING_TIME says, an hour by default; nothing else takes as long. */
const RUNNING_LONG_SECONDS = 7200;
const LOOK_AGAIN_MS = 2000;

interface JobAge {
  job_id: string;
  type: string;
  stage: string;
  status: string;
  created_at: string;
  started_at: string | null;
}

/** Jobs that wait longer than a worker that is well would let them, or take longer than a fit may. Rollouts and monitors may take days. */
export function findStuckJobs(jobs: readonly JobAge[], nowMs: number): Finding[] {
  return jobs.flatMap((job) => {
    const seconds = (nowMs - Date.parse(job.started_at ?? job.created_at)) / 1000;
    const isQueued = job.status === 'queued';
    const isPatient =
      !['ingest', 'preprocess', 'replay', 'train', 'materialize'].includes(job.type) || job.stage === 'paused';
    if (isQueued ? seconds < QUEUED_LONG_SECONDS : isPatient || seconds < RUNNING_LONG_SECONDS) return [];
    return [
      warning(
        `job:${job.job_id}`,
        isQueued ? `queued for ${formatSeconds(seconds)}` : `at ${job.stage} for ${formatSeconds(seconds)} in all`,
        `\`temporal workflow describe --workflow-id ${job.job_id}\` tells what it waits for; \`mlops jobs cancel ${job.job_id}\` ends it.`,
      ),
    ];
  });
}

/** Rows on their way to the database, by spool, from the text of `GET /metrics`. */
export function readWaiting(metrics: string): Record<string, number> {
  const names: Record<string, string> = {
    mlops_prediction_log_buffered_rows: 'predictions',
    mlops_events_waiting_rows: 'events',
  };
  const waiting: Record<string, number> = {};
  for (const line of metrics.split('\n')) {
    const [, name, value] = /^(\w+)(?:\{[^}]*\})? (\S+)/.exec(line) ?? [];
    const spool = name === undefined ? undefined : names[name];
    if (spool !== undefined) waiting[spool] = (waiting[spool] ?? 0) + Number(value);
  }
  return waiting;
}

/** A spool that has rows twice, and not fewer the second time, is not drained. */
export function judgeSpools(before: Record<string, number>, after: Record<string, number>): Finding[] {
  return Object.entries(after).map(([spool, rows]) =>
    rows > 0 && rows >= (before[spool] ?? 0)
      ? warning(
          `spool:${spool}`,
          `${rows} ${spool} wait on disk, and they do not become fewer`,
          'They go to PostgreSQL when it is well: see dependency:database. Nothing is lost until PREDICTION_SPOOL_MB or EVENT_SPOOL_MB is full.',
        )
      : well(`spool:${spool}`, rows > 0 ? `${rows} ${spool} wait, and become fewer` : `no ${spool} wait`),
  );
}

/** What is under way: stuck jobs, and rows that do not reach the database. */
export async function examineWork(connection: Connection, { dependencies }: Health): Promise<Finding[]> {
  const isDatabaseUp = dependencies['database']?.status === 'up';
  const jobs = isDatabaseUp ? await examineJobs(connection) : [];
  return [...jobs, ...(await examineSpools(connection))];
}

async function examineJobs(connection: Connection): Promise<Finding[]> {
  const pages = await Promise.all(
    (['queued', 'running'] as const).map((status) =>
      connection.client.get('/jobs', { query: { status, limit: 500 } }).catch(() => ({ items: [] })),
    ),
  );
  const open = pages.flatMap(({ items }) => items);
  const stuck = findStuckJobs(open, Date.now());
  return stuck.length > 0 ? stuck : [well('jobs', `${open.length} under way, none is stuck`)];
}

async function examineSpools(connection: Connection): Promise<Finding[]> {
  const look = async () => readWaiting(await (await connection.open('/metrics')).text());
  try {
    const before = await look();
    if (Object.values(before).every((rows) => rows === 0)) return judgeSpools(before, before);
    await sleep(LOOK_AGAIN_MS);
    return judgeSpools(before, await look());
  } catch {
    // A service may show its metrics to Prometheus only.
    return [];
  }
}
