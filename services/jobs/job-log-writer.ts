import { randomUUID } from 'node:crypto';
import type { LineLevel } from '../../core/names.js';
import type { Logger } from '../telemetry/logger.js';
import type { JobLog, NewLogLine } from './job-log.js';
import { isJobId } from './job.js';

/** How long a line may wait for others. */
export const GATHER_MS = 250;
/** How long lines wait for a database that is away, between two tries. */
const AGAIN_MS = 2000;
const MOST_AT_ONCE = 500;
/** Lines of one process that wait; beyond it the oldest are given up. */
const MOST_WAITING = 5000;
const LONGEST_MESSAGE = 1000;
const LONGEST_DETAIL = 4000;
/** Fields that each line has, or that say the same in all lines of a job. */
const NOT_DETAIL = new Set([
  'level',
  'time',
  'pid',
  'component',
  'message',
  'job_id',
  'correlation_id',
  'trace_id',
  'activity',
  'model',
  'attempt',
  // Of the SDK, in lines of workflows.
  'sdkComponent',
  'namespace',
  'taskQueue',
  'workflowId',
  'workflowType',
  'runId',
  'firstExecutionRunId',
]);

/**
 * Brings what is logged about jobs to the database, a few lines at a time, in the background: no step waits for it, and a database that is away
 * costs the oldest lines only.
 */
export class JobLogWriter {
  readonly #process = randomUUID();
  readonly #context: { jobLog: Pick<JobLog, 'append'>; logger: () => Logger };
  #count = 0;
  #waiting: NewLogLine[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param context the logger is asked for late: it is what this listens to */
  constructor(context: { jobLog: Pick<JobLog, 'append'>; logger: () => Logger }) {
    this.#context = context;
  }

  /** Takes a line of the log of this process, as JSON; those that concern no job are left alone. */
  readonly take = (text: string): void => {
    if (!text.includes('"job_id":"')) return;
    const line = readLine(text);
    if (!line) return;
    this.#waiting.push({ ...line, id: `${this.#process}-${this.#count++}` });
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS).unref();
  };

  /** Writes what waits; it stays where it cannot be written. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return (this.#writing = this.#writing.then(() => this.#write()));
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.slice(0, MOST_AT_ONCE);
      try {
        await this.#context.jobLog.append(lines);
      } catch (error) {
        this.#context.logger().debug({ err: error }, 'lines of jobs cannot be written at present');
        this.#timer ??= setTimeout(() => void this.flush(), AGAIN_MS).unref();
        return;
      }
      // Some may have been given up meanwhile.
      const written = new Set(lines);
      this.#waiting = this.#waiting.filter((line) => !written.has(line));
    }
  }
}

/** @returns undefined for a line that is about no job */
export function readLine(text: string): Omit<NewLogLine, 'id'> | undefined {
  const fields = JSON.parse(text) as Record<string, unknown>;
  const jobId = fields['job_id'];
  if (typeof jobId !== 'string' || !isJobId(jobId)) return undefined;
  const { activity, attempt, component } = fields;
  return {
    job_id: jobId,
    at: String(fields['time']),
    level: fields['level'] as LineLevel,
    source: typeof component === 'string' ? component : 'unknown',
    step: typeof activity === 'string' ? activity : null,
    attempt: typeof attempt === 'number' ? attempt : null,
    message: String(fields['message'] ?? '').slice(0, LONGEST_MESSAGE),
    detail: detailOf(fields),
  };
}

/** What else a line says, without stacks, which are for the log of the process. */
function detailOf(fields: Record<string, unknown>): Record<string, unknown> {
  const detail = Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !NOT_DETAIL.has(name))
      .map(([name, value]) => [name, withoutStack(value)]),
  );
  return JSON.stringify(detail).length <= LONGEST_DETAIL
    ? detail
    : { left_out: 'too long; see the log of the process' };
}

function withoutStack(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('stack' in value)) return value;
  const { stack: _, ...rest } = value;
  return rest;
}
