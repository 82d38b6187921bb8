import pg from 'pg';

/**
 * A client of PostgreSQL whose connection may break while nothing is asked: between two statements of a transaction, say, when the server is
 * killed. Node ends a process for an `error` that nobody listens to; the next query, or the release to the pool, tells of it anyway.
 */
export class SteadyClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}
