import type pg from 'pg';
import type { Logger } from '../telemetry/logger.js';
import { SteadyClient } from './steady-client.js';

const TRY_AGAIN_MS = 2000;

/**
 * Hears what is notified on a channel of PostgreSQL, over a connection of its own that is opened again when it ends. What is notified
 * meanwhile is not heard: whoever listens looks from time to time as well.
 */
export class ChannelListener {
  #client: pg.Client | undefined;
  #isStopped = false;

  constructor(
    private readonly context: { databaseUrl: string; channel: string; logger: Logger; onNotice: () => void },
  ) {}

  async start(): Promise<void> {
    if (this.#isStopped) return;
    const { databaseUrl, channel, logger, onNotice } = this.context;
    const client = new SteadyClient({ connectionString: databaseUrl, connectionTimeoutMillis: 3000, keepAlive: true });
    this.#client = client;
    const again = () => {
      if (this.#client !== client || this.#isStopped) return;
      this.#client = undefined;
      setTimeout(() => void this.start(), TRY_AGAIN_MS).unref();
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', onNotice);
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      logger.debug({ err: error, channel }, 'cannot listen at present');
      again();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#client
      ?.end()
      .catch((error: unknown) => this.context.logger.debug({ err: error }, 'the listener was gone already'));
  }
}
