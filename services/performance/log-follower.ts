import type { PoolClient } from 'pg';
import { BackgroundLoop } from '../background-loop.js';
import type { Database } from '../database/database.js';
import { withStatementLimit } from '../database/watched-client.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
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
const SUM_UP_WITHIN_MS = 15 * 60_000;
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
  readonly #loop: BackgroundLoop;

  constructor(
    private readonly context: WatchedModelsOptions & { database: Database; logger: Logger; failPoint: FailPoint },
  ) {
    this.#models = new WatchedModels(context);
    this.#loop = new BackgroundLoop({
      look: (signal) => this.followToEnd(signal),
      everyMs: LOOK_EVERY_MS,
      pauseTimes: PAUSE_TIMES,
      longestPauseMs: LONGEST_PAUSE_MS,
      stopWithinMs: STOP_MS,
      problem: 'the log cannot be followed at present',
      logger: context.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Waits a little for the round under way; the database undoes one that does not end in time. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Follows both logs until nothing is new. Another process may be doing so: then it does nothing. */
  async followToEnd(signal?: AbortSignal): Promise<void> {
    const isStopped = () => signal?.aborted === true;
    let isNew = true;
    while (isNew && !isStopped()) {
      isNew = (await this.#step(followAnswers)) ?? false;
      if (await this.#step(followTruths)) isNew = true;
    }
    const untilMs = performance.now() + CORRECT_FOR_MS;
    while (!isStopped() && performance.now() < untilMs && (await this.#step(correctHour)));
  }

  /** One transaction of the one that follows. @returns undefined where that is another process */
  async #step(work: (context: FollowContext) => Promise<boolean>): Promise<boolean | undefined> {
    const client = await this.context.database.pool.connect();
    try {
      await client.query('BEGIN');
      if (!(await isLocked(client))) {
        await client.query('ROLLBACK');
        client.release();
        return undefined;
      }
      const done = await withStatementLimit(client, SUM_UP_WITHIN_MS, () => work({ client, models: this.#models }));
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
