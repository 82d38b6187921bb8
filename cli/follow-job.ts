import { setTimeout as sleep } from 'node:timers/promises';
import type { components } from '../clients/typescript/client.js';
import type { Connection } from './connection.js';
import { CommandError, EXIT, type ExitCode } from './exit-codes.js';
import { readEvents } from './read-events.js';
import { formatSeconds, renderBar, type Terminal } from './terminal.js';

export type Job = components['schemas']['Job'];
type JobStatus = components['schemas']['JobStatus'];
type JobLogLine = components['schemas']['JobLogLine'];

const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];
/** How long the stream may be away: a service that is started again takes a few seconds. */
const AWAY_MS = 60_000;
const TRY_AGAIN_MS = 1000;

/** `█████░░░  45 %  fit  about 12 s left`. */
export function progressLine({ job_id: id, status, stage, progress, eta_seconds: eta }: JobStatus): string {
  const left = eta === null || ENDED.includes(status) ? '' : `  about ${formatSeconds(eta)} left`;
  return `${renderBar(progress)}  ${status === 'queued' ? 'queued' : stage}${left}  (${id})`;
}

/**
 * Shows a job until it has ended, through restarts of the service.
 * @param onLine is given what the job logs, each line once; nothing is asked about it without this
 * @throws CommandError when the service is away for longer than a minute; the job goes on without us
 */
export async function followJob(
  connection: Connection,
  terminal: Terminal,
  id: string,
  onLine?: (line: JobLogLine) => void,
): Promise<Job> {
  let lastSeenMs = Date.now();
  let lastLine = '0';
  for (;;) {
    try {
      const query = onLine ? `?logs_after=${lastLine}` : '';
      const response = await connection.open(`/jobs/${encodeURIComponent(id)}/events${query}`);
      for await (const { event, data } of readEvents(response.body as unknown as AsyncIterable<Uint8Array>)) {
        lastSeenMs = Date.now();
        if (event === 'log' && onLine) {
          const line = JSON.parse(data) as JobLogLine;
          lastLine = line.id;
          onLine(line);
        }
        if (event !== 'status') continue;
        const status = JSON.parse(data) as JobStatus;
        terminal.move(progressLine(status), status.stage);
        if (ENDED.includes(status.status)) {
          terminal.settle();
          return await connection.client.get('/jobs/{job_id}', { path: { job_id: id } });
        }
      }
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (Date.now() - lastSeenMs > AWAY_MS)
        throw new CommandError(
          EXIT.unreachable,
          'unreachable',
          `${connection.session.url} has been away for a minute.`,
          `The job goes on without this command: \`mlops jobs watch ${id}\` follows it again.`,
        );
      terminal.move('… waiting for the service to be back', 'away');
    }
    await sleep(TRY_AGAIN_MS);
  }
}

/** Whether it may be over in a moment: no connection, a stream that was cut, a dependency that is away. */
function isPassing(error: unknown): boolean {
  if (error instanceof CommandError) return error.exitCode === EXIT.unreachable;
  const { name, status } = error as { name?: string; status?: number };
  return name === 'ServiceProblem'
    ? status !== undefined && status >= 500
    : error instanceof TypeError || name === 'AbortError';
}

/** What became of a job, in lines for people. */
export function describeEnd(job: Job): string[] {
  const head = `${job.type} ${job.job_id}: ${job.status}`;
  if (job.status === 'completed') return [head, ...describeResult(job.result)];
  const { code, detail, problems } = (job.error ?? {}) as {
    code?: string;
    detail?: string;
    problems?: { path: string; message: string }[];
  };
  if (job.status === 'cancelled') return [head, `  Start it again with \`mlops jobs retry ${job.job_id}\`.`];
  return [
    head,
    ...(detail === undefined ? [] : [`  ${code ?? 'failed'}: ${detail}`]),
    ...(problems ?? []).map(({ path, message }) => `    ${path}: ${message}`),
    `  When the cause is mended, \`mlops jobs retry ${job.job_id}\` starts it again. Its id in the logs: ${job.correlation_id}`,
  ];
}

/** The fields of a result that are one value each; metrics as value and interval. */
export function describeResult(result: unknown): string[] {
  if (typeof result !== 'object' || result === null) return [];
  const lines: string[] = [];
  for (const [name, value] of Object.entries(result)) {
    if (name === 'metrics') lines.push(...describeMetrics(value));
    else if (value !== null && typeof value !== 'object') lines.push(`  ${name}: ${String(value)}`);
  }
  return lines;
}

type Metrics = Record<string, Record<string, { value: number | null; lower: number | null; upper: number | null }>>;

export function describeMetrics(metrics: unknown): string[] {
  if (typeof metrics !== 'object' || metrics === null) return [];
  const round = (value: number) => Number(value.toPrecision(3));
  return Object.entries(metrics as Metrics).flatMap(([head, byName]) =>
    Object.entries(byName)
      .filter(([, metric]) => typeof metric?.value === 'number')
      .map(([name, { value, lower, upper }]) => {
        const interval =
          lower === null || upper === null || lower === undefined || upper === undefined
            ? ''
            : ` (${round(lower)} to ${round(upper)})`;
        return `  ${head} ${name}: ${round(value!)}${interval}`;
      }),
  );
}

/** Completed is well; a job that failed or was cancelled is not. */
export const exitCodeOf = (job: Job): ExitCode => (job.status === 'completed' ? EXIT.ok : EXIT.failed);

/** What commands that start a job do: follow it unless told not to, and tell its end. */
export async function finishJob(
  connection: Connection,
  terminal: Terminal,
  accepted: { job_id: string },
  shouldWait: boolean,
): Promise<ExitCode> {
  if (!shouldWait) {
    terminal.print(`${accepted.job_id} is under way: \`mlops jobs watch ${accepted.job_id}\` follows it.`);
    terminal.printJson(accepted);
    return EXIT.ok;
  }
  const job = await followJob(connection, terminal, accepted.job_id);
  for (const line of describeEnd(job)) terminal.print(line);
  terminal.printJson(job);
  return exitCodeOf(job);
}
