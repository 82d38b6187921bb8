import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../core/errors.js';
import { isDatabaseAway, withDatabase, type Database } from '../database/database.js';
import { Spool, type SpoolState } from '../spool/spool.js';
import { SpoolShipper } from '../spool/ship-spool.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { OutcomeValue } from '../../core/schemas/prediction.js';
import { createdAtOf } from './prediction-id.js';
import type { PredictionLog } from './prediction-log.js';

export interface Outcome {
  predictionId: string;
  outcome: Record<string, OutcomeValue>;
  /** Figures of the business, by name. */
  metrics: Record<string, number>;
  observedAt: Date;
}

export interface RecordedOutcome {
  prediction_id: string;
  /** Of the outcome that counts now; of this one while it waits. */
  observed_at: string;
  outcome: unknown;
  metrics: unknown;
  /** `waiting`: the database is away; the outcome is on disk, and is checked and stored when it is back. */
  state: 'stored' | 'waiting';
}

export interface OutcomeRecorderOptions {
  database: Database;
  log: PredictionLog;
  stateDir: string;
  spoolMegabytes: number;
  logger: Logger;
  metrics: Metrics;
}

type SpooledOutcome = Omit<Outcome, 'metrics' | 'observedAt'> & { metrics?: Outcome['metrics']; observedAt: string };

/** A prediction of another process arrives in the database within about this time. */
const ARRIVES_WITHIN_MS = 3000;
const LOOK_AGAIN_MS = 100;
/** After this an outcome from the disk counts as one of a prediction that never was. */
const AWAITED_FOR_MS = 60_000;

/** Keeps what turned out to be true: at once, or on disk while the database is away. */
export class OutcomeRecorder {
  readonly #spool: Spool;
  readonly #shipper: SpoolShipper;
  /** Predictions that outcomes on disk are about and that the database does not have, and since when that is known. */
  readonly #awaitedSince = new Map<string, number>();

  constructor(private readonly options: OutcomeRecorderOptions) {
    const { stateDir, spoolMegabytes, logger, metrics } = options;
    const lose = (rows: number, reason: string) => {
      metrics.outcomesDropped.inc(rows);
      logger.error({ rows, reason }, 'reported outcomes were not kept');
    };
    this.#spool = new Spool({
      folder: join(stateDir, 'spool', 'outcomes'),
      mostBytes: spoolMegabytes * 2 ** 20,
      isSyncedAtOnce: true,
      logger,
      onLost: lose,
    });
    this.#shipper = new SpoolShipper({
      spool: this.#spool,
      destination: {
        write: (rows) => this.#storeSpooled(rows),
        isOfRows: (error) => error instanceof ServiceError && error.code !== 'dependency_unavailable',
      },
      logger,
      onShipped: () => undefined,
      onRefused: lose,
    });
    this.#shipper.start();
  }

  /**
   * Late, repeated and corrected reports are all kept; the newest `observed_at` wins, and the same report twice is one.
   * @throws ServiceError `prediction_not_found`, `request_invalid` for a head that the prediction does not have; neither while the
   * database is away
   */
  async record(reported: Outcome): Promise<RecordedOutcome> {
    const { predictionId, observedAt, outcome, metrics } = reported;
    try {
      // The prediction may still be on the disk of this process.
      await this.options.log.flush();
      return await this.#store(reported);
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      const nowMs = Date.now();
      const payload = Buffer.from(`${JSON.stringify(reported)}\n`, 'utf8');
      if (!this.#spool.append({ rows: 1, firstMs: nowMs, lastMs: nowMs, payload }))
        throw new ServiceError('dependency_unavailable', 'Neither the database nor the disk takes the outcome.', [], 5);
      return { prediction_id: predictionId, observed_at: observedAt.toISOString(), outcome, metrics, state: 'waiting' };
    }
  }

  /** Brings all outcomes to the database and takes them from the disk. @returns how many still wait */
  async forget(): Promise<number> {
    await this.#shipper.flush();
    this.#spool.forgetShipped();
    return this.#spool.rows;
  }

  /** What waits on disk in this process. */
  get spooled(): SpoolState {
    return this.#spool.state();
  }

  async stop(): Promise<void> {
    await this.#shipper.stop();
  }

  /** Storing one again changes nothing, so a failure half-way through is no harm. */
  async #storeSpooled(rows: string[]): Promise<void> {
    await this.options.log.flush();
    const awaited: string[] = [];
    for (const row of rows) {
      // Outcomes of earlier releases have no metrics.
      const { predictionId, outcome, metrics = {}, observedAt } = JSON.parse(row) as SpooledOutcome;
      try {
        await withDatabase(() => this.#store({ predictionId, outcome, metrics, observedAt: new Date(observedAt) }));
        this.#awaitedSince.delete(predictionId);
      } catch (error) {
        if (!this.#mayStillArrive(predictionId, error)) throw error;
        awaited.push(predictionId);
      }
    }
    if (awaited.length > 0) throw new Error(`The prediction ${awaited[0]} has not arrived in the database yet.`);
  }

  /** The prediction may be on the disk of another process, or of one that was killed and has not been taken over yet. */
  #mayStillArrive(predictionId: string, error: unknown): boolean {
    if (!(error instanceof ServiceError && error.code === 'prediction_not_found')) return false;
    const sinceMs = this.#awaitedSince.get(predictionId) ?? performance.now();
    this.#awaitedSince.set(predictionId, sinceMs);
    if (performance.now() - sinceMs < AWAITED_FOR_MS) return true;
    this.#awaitedSince.delete(predictionId);
    return false;
  }

  async #store({ predictionId, outcome, metrics, observedAt }: Outcome): Promise<RecordedOutcome> {
    const { prisma } = this.options.database;
    const prediction = await this.#predictionOf(predictionId);
    refuseUnknownHeads(outcome, prediction.predictions as Record<string, unknown>);
    const key = { predictionId, observedAt };
    await prisma.predictionOutcome.upsert({
      where: { predictionId_observedAt: key },
      create: { ...key, outcome, metrics },
      update: { outcome, metrics },
    });
    const newest = await prisma.predictionOutcome.findFirstOrThrow({
      where: { predictionId },
      orderBy: { observedAt: 'desc' },
    });
    this.options.metrics.outcomesStored.inc({ model: prediction.model });
    return {
      prediction_id: predictionId,
      observed_at: newest.observedAt.toISOString(),
      outcome: newest.outcome,
      metrics: newest.metrics,
      state: 'stored',
    };
  }

  async #predictionOf(id: string): Promise<{ model: string; predictions: unknown }> {
    const { prisma } = this.options.database;
    const createdAt = createdAtOf(id);
    const isRecent = createdAt !== undefined && Math.abs(Date.now() - createdAt.getTime()) < ARRIVES_WITHIN_MS;
    for (let tries = isRecent ? ARRIVES_WITHIN_MS / LOOK_AGAIN_MS : 1; tries > 0; tries--) {
      const found =
        (createdAt && (await prisma.prediction.findUnique({ where: { id_createdAt: { id, createdAt } } }))) ??
        // Ids of earlier releases do not tell their time.
        (await prisma.prediction.findFirst({ where: { id } }));
      if (found) return found;
      if (tries > 1) await sleep(LOOK_AGAIN_MS);
    }
    throw new ServiceError('prediction_not_found', `There is no prediction "${id.slice(0, 100)}".`);
  }
}

/** Parts of an answer that are not predictions of their own. */
const NO_HEADS = ['probabilities', 'interval'];

/** A misspelt head would replace the right truth in silence. */
function refuseUnknownHeads(outcome: Record<string, unknown>, predictions: Record<string, unknown>): void {
  const heads = Object.keys(predictions).filter((name) => !NO_HEADS.includes(name));
  const unknown = Object.keys(outcome).filter((name) => !heads.includes(name));
  if (unknown.length === 0) return;
  throw new ServiceError(
    'request_invalid',
    `The prediction has the heads ${heads.join(', ')}.`,
    unknown.map((name) => ({
      path: `outcome.${name}`,
      message: `is not a head of this prediction; its heads: ${heads.join(', ')}`,
    })),
  );
}
