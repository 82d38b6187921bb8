import type { Socket } from 'node:net';

const LOOK_EVERY_MS = 100;
/** While there is too much to do, one held connection is read again for so many requests that were answered: a refusal costs less than half an answer. */
const ANSWERS_A_RELEASE = 4;
const LEAST_RELEASED = 16;
/** Once there is time, this part of the held ones is read again at each look. */
const PART_RELEASED = 1 / 4;

type Held = Pick<Socket, 'pause' | 'resume' | 'destroyed'>;

/**
 * Connections whose request was refused because there was too much to do, and that are not read for a while: what they send meanwhile waits
 * in the system and costs nothing, where to refuse it over and over would take the time of those who could be answered. Each is read
 * again, the longest held first; a request that has waited longer than any may is then refused once more.
 */
export class HeldConnections {
  /** Since when, the longest first. */
  readonly #sinceMs = new Map<Held, number>();
  /** Held for longer than a request may wait, and read for the first time again in this turn of the event loop. */
  readonly #released = new Set<Held>();
  #refused: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  #answered = 0;
  #longestWaitMs = 0;

  /** @param maxWaitMs above 0 */
  constructor(private readonly maxWaitMs: number) {}

  /** Tells how long a request has waited for those before it. */
  note(waitedMs: number): void {
    this.#longestWaitMs = Math.max(this.#longestWaitMs, waitedMs);
  }

  countAnswered(): void {
    this.#answered++;
  }

  /** Whether what comes from a connection now has waited there for too long. */
  hasWaited(connection: Held): boolean {
    return this.#released.has(connection);
  }

  /** Does not read a connection any more, once its refusal is on its way. */
  hold(connection: Held): void {
    // The end of the refused request has the connection read: it is held after that.
    if (this.#refused.push(connection) > 1) return;
    setImmediate(() => {
      const nowMs = performance.now();
      for (const one of this.#refused) {
        one.pause();
        this.#sinceMs.set(one, nowMs);
      }
      this.#refused = [];
      this.#timer ??= setInterval(() => this.#release(), LOOK_EVERY_MS).unref();
    });
  }

  #release(): void {
    const hasTime = this.#longestWaitMs < this.maxWaitMs / 2;
    const most = Math.max(
      LEAST_RELEASED,
      hasTime ? this.#sinceMs.size * PART_RELEASED : this.#answered / ANSWERS_A_RELEASE,
    );
    this.#answered = 0;
    this.#longestWaitMs = 0;
    const nowMs = performance.now();
    let released = 0;
    for (const [connection, sinceMs] of this.#sinceMs) {
      if (released >= most) break;
      this.#sinceMs.delete(connection);
      if (connection.destroyed) continue;
      released++;
      if (nowMs - sinceMs > this.maxWaitMs) this.#released.add(connection);
      connection.resume();
    }
    // What waited is read in this very turn.
    setImmediate(() => this.#released.clear());
    if (this.#sinceMs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
