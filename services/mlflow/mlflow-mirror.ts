import { BackgroundLoop } from '../background-loop.js';
import type { Database } from '../database/database.js';
import type { Logger } from '../telemetry/logger.js';
import type { MlflowClient } from './mlflow-client.js';
import { mirrorRun } from './mirror-run.js';
import { mirrorVersion, RunNotMirrored } from './mirror-version.js';

interface Claimed {
  kind: 'run' | 'version';
  subject: string;
  revision: string;
  external_id: string | null;
  points_until: Date | null;
  attempts: number;
}

const POLL_MS = 1000;
const MOST_AT_ONCE = 4;
/** Who has claimed something has this long; then another process may try. Longer than the calls of one take. */
const LEASE_SECONDS = 180;
/** Something that changes all the time, such as a run with its curves, is told no more often than this. */
const CALM_SECONDS = 5;
const LONGEST_WAIT_SECONDS = 60;
const STOP_MS = 2000;

/** Runs before versions, which name them. */
const CLAIM = `UPDATE mlflow_mirrors m SET attempts = m.attempts + 1, next_attempt_at = now() + make_interval(secs => ${LEASE_SECONDS})
  FROM (SELECT kind, subject FROM mlflow_mirrors WHERE sent < revision AND next_attempt_at <= now()
    ORDER BY kind, next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
  WHERE m.kind = due.kind AND m.subject = due.subject
  RETURNING m.kind, m.subject, m.revision, m.external_id, m.points_until, m.attempts`;

/**
 * Brings runs and versions to MLflow, as they are whenever there is time: what changes meanwhile is told again, and an MLflow that is
 * away is waited for however long, while training and serving know nothing of it. Any number of processes may do so.
 */
export class MlflowMirror {
  readonly #loop: BackgroundLoop;

  constructor(
    private readonly context: { client: MlflowClient; database: Database; logger: Logger; modelStoragePath: string },
  ) {
    this.#loop = new BackgroundLoop({
      look: (signal) => this.#mirrorAll(signal),
      everyMs: POLL_MS,
      stopWithinMs: STOP_MS,
      problem: 'the mirrors cannot be read at present',
      logger: context.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #mirrorAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { rows } = await this.context.database.pool.query<Claimed>(CLAIM, [MOST_AT_ONCE]);
      if (rows.length === 0) return;
      await Promise.all(rows.map((claimed) => this.#mirror(claimed)));
    }
  }

  async #mirror(claimed: Claimed): Promise<void> {
    const { kind, subject, revision } = claimed;
    const before = { externalId: claimed.external_id, pointsUntil: claimed.points_until };
    try {
      const told =
        kind === 'run'
          ? await mirrorRun(subject, before, this.context)
          : await mirrorVersion(subject, before, this.context);
      const { externalId, pointsUntil } = { ...before, ...told };
      await this.context.database.pool.query(
        `UPDATE mlflow_mirrors SET sent = greatest(sent, $3), external_id = $4, points_until = $5, attempts = 0, error = NULL,
           next_attempt_at = now() + make_interval(secs => ${CALM_SECONDS}) WHERE kind = $1 AND subject = $2`,
        [kind, subject, revision, externalId, pointsUntil],
      );
    } catch (error) {
      await this.#postpone(claimed, error);
    }
  }

  async #postpone({ kind, subject, attempts }: Claimed, error: unknown): Promise<void> {
    const { logger, database } = this.context;
    const isWaiting = error instanceof RunNotMirrored;
    const seconds = isWaiting
      ? 1
      : Math.min(LONGEST_WAIT_SECONDS, 2 ** Math.min(attempts, 6)) * (0.75 + Math.random() / 2);
    const { message } = error as Error;
    // Once, and then now and then: an MLflow that is away for a night must not fill the log.
    if (!isWaiting && (attempts === 1 || attempts % 60 === 0))
      logger.warn({ err: error, kind, subject, attempts }, 'MLflow could not be told; it will be tried again');
    await database.pool
      .query(
        `UPDATE mlflow_mirrors SET error = $3, next_attempt_at = now() + make_interval(secs => $4) WHERE kind = $1 AND subject = $2`,
        [kind, subject, message.slice(0, 1000), seconds],
      )
      .catch((failure: unknown) => logger.debug({ err: failure }, 'the claim of a mirror lapses'));
  }
}
