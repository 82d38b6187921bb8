import type { Logger } from './telemetry/logger.js';
import { within } from './within.js';

/** After the first failure; each further one doubles it. */
const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 5000;
/** By so much, either way, pauses differ: processes that were started together do not look together. */
const JITTER = 0.1;

export interface BackgroundLoopOptions {
  /** One look. It ends early, and soon, when it is told to stop. */
  look: (signal: AbortSignal) => Promise<unknown>;
  /** From the end of a look to the beginning of the next one. */
  everyMs: number;
  /** What the log says of the first of several failures, such as `the outbox cannot be read at present`. */
  problem: string;
  logger: Pick<Logger, 'warn' | 'debug' | 'info'>;
  /** After a look that took long, a pause of this many times its length instead, and at most `longestPauseMs`. */
  pauseTimes?: number;
  longestPauseMs?: number;
  /** How long `stop` waits for the look under way. Without it, until it has ended. */
  stopWithinMs?: number;
  /** In [0, 1); for tests. */
  random?: () => number;
}

/**
 * Looks at something again and again, for as long as the process runs. One look at a time: calls that come meanwhile are joined into one
 * more. A look that fails is logged once, and tried again after pauses that grow.
 */
export class BackgroundLoop {
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #failures = 0;

  constructor(private readonly options: BackgroundLoopOptions) {}

  /** The first look begins at once. */
  start(): void {
    this.look();
  }

  /** Looks now, or once more after the look under way. After `stop` it does nothing. */
  look(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isAskedAgain = true;
    clearTimeout(this.#timer);
    // In a turn of its own, so that a look may ask for the next one as soon as it begins.
    this.#running ??= Promise.resolve().then(() => this.#lookUntilQuiet());
  }

  /** Begins no further look, and waits for the one under way. Repeatable. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    const { stopWithinMs, logger, problem } = this.options;
    if (!this.#running) return;
    if (stopWithinMs === undefined) return this.#running;
    await within(stopWithinMs, this.#running).catch((error: unknown) =>
      logger.debug({ err: error, problem }, 'a look has not ended by the end of the process'),
    );
  }

  /** Never throws. */
  async #lookUntilQuiet(): Promise<void> {
    let pauseMs = this.options.everyMs;
    while (this.#isAskedAgain && !this.#stopping.signal.aborted) {
      this.#isAskedAgain = false;
      pauseMs = await this.#lookOnce();
      // One that fails is not asked at once again, however many ask.
      if (this.#failures > 0) break;
    }
    this.#running = undefined;
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => this.look(), pauseMs);
  }

  /** @returns how long to wait until the next one */
  async #lookOnce(): Promise<number> {
    const { look, everyMs, logger, problem, pauseTimes = 0, longestPauseMs = Infinity } = this.options;
    const startMs = performance.now();
    try {
      await look(this.#stopping.signal);
    } catch (error) {
      this.#failures += 1;
      logger[this.#failures === 1 ? 'warn' : 'debug']({ err: error, failures: this.#failures }, problem);
      const longestMs = Math.max(everyMs, LONGEST_BACK_OFF_MS);
      return this.#jitter(Math.min(longestMs, FIRST_BACK_OFF_MS * 2 ** Math.min(this.#failures - 1, 20)));
    }
    if (this.#failures > 0) logger.info({ problem, failures: this.#failures }, 'it works again');
    this.#failures = 0;
    const restMs = pauseTimes * (performance.now() - startMs);
    return this.#jitter(Math.max(everyMs, Math.min(longestPauseMs, restMs)));
  }

  #jitter(ms: number): number {
    const { random = Math.random } = this.options;
    return ms * (1 - JITTER + 2 * JITTER * random());
  }
}
