import type { JobStatus, JobType } from '../../core/names.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { storableJson } from '../database/storable-json.js';
import { whereModels } from '../database/where-models.js';
import type { Job, JobError } from './job.js';

/** The stage of a job that waits for `resume`. */
const PAUSED = 'paused';

type JobRow = Prisma.JobGetPayload<object>;

function toJob(row: JobRow, nowMs: number): Job {
  return {
    job_id: row.id,
    type: row.type as JobType,
    model: row.model,
    status: row.status as JobStatus,
    progress: Math.round(row.progress * 1e4) / 1e4,
    stage: row.stage,
    request: row.request,
    result: row.result,
    error: row.error as JobError | null,
    correlation_id: row.correlationId,
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    finished_at: row.finishedAt?.toISOString() ?? null,
    eta_seconds: etaSeconds(row, nowMs),
  };
}

function etaSeconds(row: JobRow, nowMs: number): number | null {
  if (row.status !== 'running' || row.stage === PAUSED || !row.startedAt || row.progress < 0.02) return null;
  const elapsed = (nowMs - row.startedAt.getTime()) / 1000;
  return Math.max(0, Math.round((elapsed * (1 - row.progress)) / row.progress));
}

export interface EndedJob {
  type: JobType;
  model: string | null;
  /** From the start of its first step to its end. */
  seconds: number;
}

export interface JobFilter {
  status?: JobStatus;
  type?: JobType;
  model?: string;
  /** Only of these; of all without it. */
  models?: readonly string[];
}

/** The table of jobs. Every write can be repeated, and none takes a finished job back or lowers its progress. */
export function createJobStore(database: Database, onEnd?: (ended: EndedJob, status: string) => void) {
  const { prisma } = database;
  return {
    async get(id: string): Promise<Job | undefined> {
      const row = await prisma.job.findUnique({ where: { id } });
      return row ? toJob(row, Date.now()) : undefined;
    },

    async list(
      { models, ...filter }: JobFilter,
      page: { limit: number; cursor?: string },
    ): Promise<{ items: Job[]; next_cursor: string | null }> {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.job.findMany({
            where: { ...filter, ...whereModels(models) },
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.job.findUnique({ where: { id } }),
      });
      return { items: rows.map((row) => toJob(row, Date.now())), next_cursor };
    },

    /** Also creates the row, for workflows that were started without the API. */
    async markRunning(job: {
      id: string;
      type: JobType;
      model?: string;
      request: unknown;
      correlationId: string;
    }): Promise<void> {
      const request = storableJson(job.request);
      await prisma.$executeRaw`
        INSERT INTO jobs (id, type, model, status, stage, request, correlation_id, started_at)
        VALUES (${job.id}, ${job.type}, ${job.model ?? null}, 'running', 'started', ${request}::jsonb, ${job.correlationId}, now())
        ON CONFLICT (id) DO UPDATE SET status = 'running', started_at = coalesce(jobs.started_at, now()), model = coalesce(EXCLUDED.model, jobs.model)
        WHERE jobs.status IN ('queued', 'running')`;
    },

    async reportProgress(id: string, stage: string, progress: number): Promise<void> {
      const bounded = Math.min(1, Math.max(0, progress));
      await prisma.$executeRaw`
        UPDATE jobs SET stage = ${stage}, progress = GREATEST(progress, ${bounded}::float8)
        WHERE id = ${id} AND status IN ('queued', 'running') AND progress <= ${bounded}::float8`;
    },

    async notePaused(id: string): Promise<void> {
      const where = { id, status: { in: ['queued', 'running'] } };
      await prisma.job.updateMany({ where, data: { stage: PAUSED } });
    },

    async finish(
      id: string,
      end: { status: 'completed' | 'failed' | 'cancelled'; result?: unknown; error?: JobError },
    ): Promise<void> {
      const result = end.result === undefined ? null : storableJson(end.result);
      const error = end.error === undefined ? null : storableJson(end.error);
      const [ended] = await prisma.$queryRaw<EndedJob[]>`
        UPDATE jobs SET status = ${end.status}, result = ${result}::jsonb, error = ${error}::jsonb, finished_at = now(),
          started_at = coalesce(started_at, now()),
          stage = CASE WHEN ${end.status} = 'completed' THEN 'done' ELSE stage END,
          progress = CASE WHEN ${end.status} = 'completed' THEN 1 ELSE progress END
        WHERE id = ${id} AND status IN ('queued', 'running')
        RETURNING type, model, extract(epoch FROM finished_at - started_at)::float8 AS seconds`;
      if (ended) onEnd?.(ended, end.status);
    },

    /** Jobs that were accepted but whose workflow may never have been started, oldest first. */
    async listUnstarted(
      olderThanMs: number,
    ): Promise<{ id: string; type: JobType; model: string | null; request: unknown; correlationId: string }[]> {
      const rows = await prisma.job.findMany({
        where: { status: 'queued', createdAt: { lt: new Date(Date.now() - olderThanMs) } },
        orderBy: { createdAt: 'asc' },
        take: 100,
      });
      return rows.map((row) => ({
        id: row.id,
        type: row.type as JobType,
        model: row.model,
        request: row.request,
        correlationId: row.correlationId,
      }));
    },

    async listRunning(): Promise<string[]> {
      const rows = await prisma.job.findMany({ where: { status: 'running' }, select: { id: true }, take: 500 });
      return rows.map((row) => row.id);
    },
  };
}

export type JobStore = ReturnType<typeof createJobStore>;
