/** What a breaker waits between probes, and how it learns that the other side is back. */
interface CircuitBreakerOptions {
  /** Resolves where the other side answers in time; rejects otherwise. Must settle by itself. */
  probe: () => Promise<unknown>;
  /** Wait before the first probe, in milliseconds; doubles after each failed one. */
  firstWaitMs: number;
  /** Longest wait between two probes, in milliseconds. */
  longestWaitMs: number;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

/**
 * Keeps callers away from a service that is slow or gone. One failure opens it; from then on only a probe in the
 * background asks again, with a wait that doubles, and a probe that succeeds closes it. No caller pays for a probe.
 */
export class CircuitBreaker {
  #state: CircuitState = 'closed';
  #waitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @throws RangeError where the waits are not `0 < firstWaitMs <= longestWaitMs`. */
  constructor(private readonly options: CircuitBreakerOptions) {
    const { firstWaitMs, longestWaitMs } = options;
    if (!(firstWaitMs > 0 && firstWaitMs <= longestWaitMs)) {
      throw new RangeError(`Waits of a circuit breaker must be 0 < ${firstWaitMs} <= ${longestWaitMs} milliseconds`);
    }
    this.#waitMs = firstWaitMs;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether a caller may ask now. */
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Says that a call failed or took too long. More failures while open change nothing. */
  fail(): void {
    if (this.#stopped || this.#state !== 'closed') return;
    this.#waitMs = this.options.firstWaitMs;
    this.#open();
  }

  /** Ends probing for good and keeps callers away: nothing is left that holds up a shutdown. */
  stop(): void {
    this.#stopped = true;
    this.#state = 'open';
    clearTimeout(this.#timer);
  }

  #open(): void {
    this.#state = 'open';
    this.#timer = setTimeout(() => void this.#probe(), this.#waitMs);
    this.#timer.unref();
  }

  async #probe(): Promise<void> {
    this.#state = 'half-open';
    let answered = true;
    try {
      await this.options.probe();
    } catch {
      answered = false;
    }
    if (this.#stopped) {
      this.#state = 'open';
    } else if (answered) {
      this.#state = 'closed';
    } else {
      this.#waitMs = Math.min(this.#waitMs * 2, this.options.longestWaitMs);
      this.#open();
    }
  }
}
