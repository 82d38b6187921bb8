interface Waiting {
  megabytes: number;
  enter: () => void;
}

/** Lets work in as long as what it is said to need fits into memory together; in the order of asking, so that large work is not passed over. */
export class MemoryGate {
  #used = 0;
  readonly #waiting: Waiting[] = [];

  /** @param capacityMb what all that is inside may need together */
  constructor(readonly capacityMb: number) {}

  get usedMb(): number {
    return this.#used;
  }

  /**
   * Waits until there is room. Work that alone needs more than there is gets in when nothing else is inside.
   * @returns gives the room back; calling it again does nothing
   * @throws the reason of the signal
   */
  async enter(megabytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#hasRoom(megabytes)) await this.#wait(megabytes, signal);
    else this.#used += megabytes;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#used -= megabytes;
      this.#admit();
    };
  }

  #hasRoom(megabytes: number): boolean {
    return this.#used === 0 || this.#used + megabytes <= this.capacityMb;
  }

  #wait(megabytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        megabytes,
        enter: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#admit();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoom(next.megabytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.megabytes;
      next.enter();
    }
  }
}
