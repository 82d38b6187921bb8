import type { PoolClient } from 'pg';
import type { Database } from '../database/database.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import { within } from '../within.js';
import { correctHour, followOutcomes } from './follow-outcomes.js';
import { followPredictions, type FollowContext } from './follow-predictions.js';
import { StreamWatch } from './stream-watch.js';
import { WatchedModels, type WatchedModelsOptions } from './watched-models.js';

/** A look costs two index probes while nothing is new. */
const LOOK_EVERY_MS = 1000;
/** After a round that took long, a pause of this many times its length: following never takes more than a third of one connection. */
const PAUSE_TIMES = 2;
const LONGEST_PAUSE_MS = 30_000;
/** A first run, or one after a long pause, sums up more than other queries may. */
const SUM_UP_WITHIN = '15min';
/** Hours are summed up anew for about so long before new rows have their turn. */
const CORRECT_FOR_MS = 3000;
const STOP_MS = 5000;
/** One process follows at a time. */
const FOLLOWER_LOCK = 7233005;

/**
 * Follows the log of predictions and of outcomes in the order of arrival: sums it up by hour and day, and shows it to the online
 * detectors. Each transaction sums up some rows and moves the cursor behind them, so a process that dies repeats nothing and loses nothing. Any number of
 * processes may run one; those without the lock wait.
 */
export class LogFollower {
  readonly #models: WatchedModels;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #isStopped = false;
  #isAway = false;

  constructor(
    private readonly context: WatchedModelsOptions & { database: Database; logger: Logger; failPoint: FailPoint },
  ) {
    this.#models = new WatchedModels(context);
  }

  start(): void {
    this.#schedule(0);
  }

  /** Waits a little for the round under way; the database undoes one that does not end in time. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    if (this.#round)
      await within(STOP_MS, this.#round).catch((error: unknown) =>
        this.context.logger.debug({ err: error }, 'the log was not followed to the end'),
      );
  }

  #schedule(inMs: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      const startMs = performance.now();
      this.#round = this.followToEnd()
        .then(() => void (this.#isAway = false))
        .catch((error: unknown) => {
          if (!this.#isAway) this.context.logger.warn({ err: error }, 'the log cannot be followed at present');
          this.#isAway = true;
        })
        .finally(() => {
          const tookMs = performance.now() - startMs;
          this.#schedule(Math.min(LONGEST_PAUSE_MS, Math.max(LOOK_EVERY_MS, PAUSE_TIMES * tookMs)));
        });
    }, inMs);
  }

  /** Follows both logs until nothing is new. Another process may be doing so: then it does nothing. */
  async followToEnd(): Promise<void> {
    let isNew = true;
    while (isNew && !this.#isStopped) {
      isNew = (await this.#step(followAnswers)) ?? false;
      if (await this.#step(followTruths)) isNew = true;
    }
    const untilMs = performance.now() + CORRECT_FOR_MS;
    while (!this.#isStopped && performance.now() < untilMs && (await this.#step(correctHour)));
  }

  /** One transaction of the one that follows. @returns undefined where that is another process */
  async #step(work: (context: FollowContext) => Promise<boolean>): Promise<boolean | undefined> {
    const client = await this.context.database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL statement_timeout = '${SUM_UP_WITHIN}'`);
      if (!(await isLocked(client))) {
        await client.query('ROLLBACK');
        client.release();
        return undefined;
      }
      const done = await work({ client, models: this.#models });
      if (done) this.context.failPoint('follower:before-commit');
      await client.query('COMMIT');
      client.release();
      return done;
    } catch (error) {
      // A connection in the middle of a transaction is no use to anybody.
      client.release(true);
      throw error;
    }
  }
}

/** Sums up what has arrived, and shows it to the online detectors. @returns whether there was anything */
async function followAnswers(context: FollowContext): Promise<boolean> {
  const stream = new StreamWatch(context.client, context.models);
  const read = await followPredictions(context, (row) => stream.addAnswer(row));
  await stream.save(Date.now());
  return read > 0;
}

async function followTruths(context: FollowContext): Promise<boolean> {
  const stream = new StreamWatch(context.client, context.models);
  const read = await followOutcomes(context, (row, losses) => stream.addLosses(row, losses));
  await stream.save(Date.now());
  return read > 0;
}

async function isLocked(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
    FOLLOWER_LOCK,
  ]);
  return rows[0]!.locked;
}
