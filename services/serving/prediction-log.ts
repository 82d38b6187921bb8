import type { Database } from '../database/database.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';

export interface PredictionRecord {
  id: string;
  model: string;
  version: string;
  entityId?: string;
  features: object;
  predictions: object;
  latencyUs: number;
  cached: boolean;
  correlationId: string;
  createdAt: Date;
}

const FLUSH_EVERY_MS = 250;
const BATCH = 1000;
/** Beyond this the oldest are dropped, and counted. */
const MOST_BUFFERED = 50_000;

/**
 * Writes predictions in batches, off the path of the answer. While the database is away they wait in memory, up to 50,000;
 * a batch is written once however often it is tried.
 */
export class PredictionLog {
  #buffer: PredictionRecord[] = [];
  #flushing: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly context: { database: Database; logger: Logger; metrics: Metrics }) {
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS);
  }

  add(record: PredictionRecord): void {
    this.#buffer.push(record);
    const excess = this.#buffer.length - MOST_BUFFERED;
    if (excess > 0) {
      this.#buffer.splice(0, excess);
      this.context.metrics.logDropped.inc(excess);
    }
    this.context.metrics.logBuffered.set(this.#buffer.length);
  }

  /** Writes what is buffered; what cannot be written stays for the next time. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => (this.#flushing = undefined));
    await this.#flushing;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    if (this.#buffer.length > 0) {
      this.context.metrics.logDropped.inc(this.#buffer.length);
      this.context.logger.error(
        { dropped: this.#buffer.length },
        'predictions could not be logged before the end, since the database is away',
      );
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#buffer.length > 0) {
      const batch = this.#buffer.slice(0, BATCH);
      try {
        await this.#write(batch);
      } catch (error) {
        this.context.logger.warn(
          { err: error, buffered: this.#buffer.length },
          'predictions cannot be logged at present',
        );
        return;
      }
      // Not by count: rows may have been dropped from the front meanwhile.
      const written = new Set(batch);
      this.#buffer = this.#buffer.filter((record) => !written.has(record));
      this.context.metrics.logWritten.inc(batch.length);
      this.context.metrics.logBuffered.set(this.#buffer.length);
    }
  }

  async #write(batch: readonly PredictionRecord[]): Promise<void> {
    const column = <T>(pick: (record: PredictionRecord) => T) => batch.map(pick);
    await this.context.database.pool.query(
      `INSERT INTO predictions (id, model, version, entity_id, features, predictions, latency_us, cached, correlation_id, created_at)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::int[], $8::boolean[], $9::text[], $10::timestamptz[])
       ON CONFLICT (id) DO NOTHING`,
      [
        column((record) => record.id),
        column((record) => record.model),
        column((record) => record.version),
        column((record) => record.entityId ?? null),
        column((record) => JSON.stringify(record.features)),
        column((record) => JSON.stringify(record.predictions)),
        column((record) => record.latencyUs),
        column((record) => record.cached),
        column((record) => record.correlationId),
        column((record) => record.createdAt),
      ],
    );
  }
}
