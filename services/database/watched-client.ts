import type { Socket } from 'node:net';
import type pg from 'pg';
import { SteadyClient } from './steady-client.js';

/** A server that lives says that a statement has taken too long; some time on its way is left to what it says. */
const ON_ITS_WAY_MS = 5000;

/**
 * A client of the pool, whose statements have a limit (`statement_timeout`) that also holds where the machine of PostgreSQL has died without a
 * word: the connection is ended a little after it when nothing has come from the server meanwhile, so that what was asked fails and can be asked on
 * another connection. Copies have none: how long they are silent depends on whoever reads them.
 */
export class WatchedClient extends SteadyClient {
  #limitMs: number | undefined;
  #silence: NodeJS.Timeout | undefined;
  #bytesRead = 0;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('drain', () => this.#stopWatching());
    this.on('end', () => this.#stopWatching());
    const limitMs = typeof config === 'object' ? Number(config.statement_timeout) : 0;
    this.#limitMs = limitMs > 0 ? limitMs : undefined;
  }

  // pg has nine overloads of this, of which each keeps its own arguments and its own result.
  // oxlint-disable-next-line typescript/no-explicit-any
  override query(...given: any[]): any {
    if (typeof (given[0] as { submit?: unknown } | undefined)?.submit === 'function') this.#stopWatching();
    else if (this.#limitMs !== undefined && !this.#silence) this.#watch();
    return (super.query as (...args: unknown[]) => unknown)(...given);
  }

  /** Whoever sets another limit for statements says so here. @returns the limit until now, in ms */
  exchangeLimit(limitMs: number | undefined): number | undefined {
    const before = this.#limitMs;
    this.#limitMs = limitMs;
    return before;
  }

  #watch(): void {
    this.#bytesRead = this.#socket.bytesRead;
    // A process that was busy itself reads first what has arrived meanwhile.
    this.#silence = setTimeout(() => setImmediate(() => this.#judge()), this.#limitMs! + ON_ITS_WAY_MS).unref();
  }

  #judge(): void {
    if (!this.#silence) return;
    this.#silence = undefined;
    if (this.#socket.bytesRead > this.#bytesRead) this.#watch();
    else
      this.#socket.destroy(
        new Error('Connection terminated: PostgreSQL did not answer within the limit of a statement'),
      );
  }

  #stopWatching(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  /** Another one once TLS is on. */
  get #socket(): Socket {
    return this.connection.stream as Socket;
  }
}

/** Runs work whose statements may take longer than those of requests: each at most so many ms. The client is one of our pool. */
export async function withStatementLimit<T>(
  client: pg.PoolClient,
  limitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  await client.query(`SET statement_timeout = ${limitMs}`);
  const watched = client instanceof WatchedClient ? client : undefined;
  const usual = watched?.exchangeLimit(limitMs);
  try {
    return await work();
  } finally {
    watched?.exchangeLimit(usual);
    // A transaction that has failed takes no statement; its end takes the limit back as well.
    await client.query('RESET statement_timeout').catch(() => undefined);
  }
}
