import { LINE_LEVELS, type LineLevel } from '../../core/names.js';
import type { Database, Prisma } from '../database/database.js';
import { readPosition } from '../database/read-page.js';
import { storableJson } from '../database/storable-json.js';

/** Lines that are kept of one job; the oldest go first. */
export const MOST_LINES = 2000;
const DAY_MS = 86_400_000;

/** A line as callers see it. */
export interface JobLogLine {
  /** Says where it stands: later lines have greater ones, and as a cursor it leads on from there. */
  id: string;
  at: string;
  level: LineLevel;
  /** The process that wrote it. */
  source: string;
  /** The activity, or null for what the workflow says. */
  step: string | null;
  attempt: number | null;
  message: string;
  detail: unknown;
}

/** A line on its way to the database. */
export interface NewLogLine extends Omit<JobLogLine, 'id'> {
  /** Unique to the line wherever it was logged. */
  id: string;
  job_id: string;
}

const toLine = (row: Prisma.JobLogLineGetPayload<object>): JobLogLine => ({
  id: String(row.position),
  at: row.at.toISOString(),
  level: row.level as LineLevel,
  source: row.source,
  step: row.step,
  attempt: row.attempt,
  message: row.message,
  detail: row.detail,
});

/** What jobs have logged, in the database: bounded for each job, and forgotten after a time. */
export function createJobLog({ prisma }: Database) {
  return {
    /** Newest first. @throws ServiceError `request_invalid` for a cursor that is none */
    async list(
      jobId: string,
      { limit, cursor, level }: { limit: number; cursor?: string; level?: LineLevel },
    ): Promise<{ items: JobLogLine[]; next_cursor: string | null }> {
      const rows = await prisma.jobLogLine.findMany({
        where: {
          jobId,
          ...(cursor === undefined ? {} : { position: { lt: readPosition(cursor) } }),
          ...(level === undefined ? {} : { level: { in: atLeast(level) } }),
        },
        orderBy: { position: 'desc' },
        take: limit + 1,
      });
      const items = rows.slice(0, limit).map(toLine);
      return { items, next_cursor: rows.length > limit ? items.at(-1)!.id : null };
    },

    /** Oldest first, for those who follow. */
    async listAfter(jobId: string, after: bigint, most: number): Promise<JobLogLine[]> {
      const where = { jobId, position: { gt: after } };
      const rows = await prisma.jobLogLine.findMany({ where, orderBy: { position: 'asc' }, take: most });
      return rows.map(toLine);
    },

    /** Adds lines, and lets go of the oldest of a job that has too many. Repeatable. */
    async append(lines: readonly NewLogLine[]): Promise<void> {
      const jobs = [...new Set(lines.map(({ job_id: id }) => id))];
      await prisma.$transaction([
        // One writer at a time: a position that is seen has none before it that comes later, so that a follower misses nothing.
        prisma.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('job_log'))`,
        prisma.$executeRaw`
          INSERT INTO job_log_lines (id, job_id, at, level, source, step, attempt, message, detail)
          SELECT * FROM jsonb_to_recordset(${storableJson(lines)}::jsonb)
            AS line (id text, job_id text, at timestamptz, level text, source text, step text, attempt int, message text, detail jsonb)
          ON CONFLICT (id) DO NOTHING`,
        prisma.$executeRaw`
          WITH bound AS MATERIALIZED (
            SELECT job.id, (SELECT position FROM job_log_lines WHERE job_id = job.id ORDER BY position DESC OFFSET ${MOST_LINES} LIMIT 1) AS last
            FROM unnest(${jobs}::text[]) AS job (id))
          DELETE FROM job_log_lines line USING bound WHERE line.job_id = bound.id AND line.position <= bound.last`,
      ]);
    },

    /** Forgets lines that are older. @returns how many went */
    async removeOlder(days: number): Promise<number> {
      const { count } = await prisma.jobLogLine.deleteMany({
        where: { at: { lt: new Date(Date.now() - days * DAY_MS) } },
      });
      return count;
    },
  };
}

export type JobLog = ReturnType<typeof createJobLog>;

const atLeast = (level: LineLevel): string[] => LINE_LEVELS.slice(LINE_LEVELS.indexOf(level));
