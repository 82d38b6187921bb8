import type { Logger } from '../telemetry/logger.js';
import type { JobLog } from './job-log.js';

const LOOK_EVERY_MS = 3_600_000;

/** Forgets lines of the logs of jobs once they are older than they are kept; several at it do no harm. */
export class JobLogRetention {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(private readonly context: { jobLog: JobLog; logger: Logger; config: { jobLogDays: number } }) {}

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
    this.#look();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #look(): void {
    const { jobLog, logger, config } = this.context;
    this.#running ??= jobLog
      .removeOlder(config.jobLogDays)
      .then(() => undefined)
      .catch((error: unknown) => logger.debug({ err: error }, 'old lines of jobs cannot be removed at present'))
      .finally(() => (this.#running = undefined));
  }
}
