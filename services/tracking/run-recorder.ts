import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../container.js';
import type { TrainerCost } from '../training/run-trainer.js';
import { describeEnvironment } from './describe-environment.js';

/** A figure at one pass of a fit. */
export interface MeasuredPoint {
  name: string;
  /** Counts from 1. */
  step: number;
  value: number;
}

const WRITE_EVERY_MS = 1000;
/** How long the end of a step waits for a database that is away: a fit must not be repeated for a row of its protocol. */
const LAST_TRIES = 10;
const LAST_WAIT_MS = 1000;
/** Points of a run that keep for a database that is away. */
const MOST_WAITING = 100_000;

/**
 * Keeps what one attempt of a step measures and costs. Points go to the database about once a second, so that curves can be watched;
 * writing one twice changes nothing. A database that is away delays no fit.
 */
export function createRunRecorder(
  runId: string,
  of: { step: string; attempt: string },
  { database, logger }: Pick<Container, 'database' | 'logger'>,
) {
  let waiting: MeasuredPoint[] = [];
  let lastMs = performance.now();
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    lastMs = performance.now();
    const points = waiting.slice();
    if (points.length === 0) return;
    // Of a step that was told twice the latest counts; a statement must not meet a row twice.
    const unique = new Map(points.map((point) => [`${point.step} ${point.name}`, point]));
    await writePoints(runId, [...unique.values()], database);
    waiting = waiting.slice(points.length);
  }

  /** One after the other, so that points are taken out of the list once. */
  function writeInTurn(): Promise<void> {
    const turn = writing.then(write);
    writing = turn.catch((error: unknown) => logger.debug({ err: error }, 'figures of a run cannot be written yet'));
    return turn;
  }

  async function writeEnd(cost: TrainerCost): Promise<void> {
    await writeInTurn();
    await database.pool.query(
      `INSERT INTO run_costs (run_id, step, attempt, wall_seconds, cpu_seconds, peak_memory_bytes)
       SELECT id, $2, $3, $4, $5, $6 FROM runs WHERE id = $1 ON CONFLICT DO NOTHING`,
      [runId, of.step, of.attempt, cost.wallSeconds, cost.cpuSeconds, cost.peakMemoryBytes],
    );
    const environment = JSON.stringify(describeEnvironment());
    // Of the fit, where there are several machines.
    await database.pool.query(
      `UPDATE runs SET environment = $2::jsonb WHERE id = $1 AND ($3 = 'fit' OR environment = '{}')`,
      [runId, environment, of.step],
    );
  }

  return {
    measured(points: readonly MeasuredPoint[]): void {
      if (waiting.length < MOST_WAITING) waiting.push(...points);
      if (performance.now() - lastMs >= WRITE_EVERY_MS) void writeInTurn().catch(() => undefined);
    },

    async ended(cost: TrainerCost): Promise<void> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await writeEnd(cost);
        } catch (error) {
          if (attempt < LAST_TRIES) {
            await sleep(LAST_WAIT_MS);
            continue;
          }
          logger.warn({ err: error, run_id: runId }, 'the figures of a run are lost: the database stayed away');
          return;
        }
      }
    },
  };
}

/** A run of an earlier release has no row, and so no points. */
async function writePoints(
  runId: string,
  points: readonly MeasuredPoint[],
  { pool }: Container['database'],
): Promise<void> {
  await pool.query(
    `INSERT INTO run_metrics (run_id, name, step, value)
     SELECT r.id, p.name, p.step, p.value
     FROM runs r, unnest($2::text[], $3::int[], $4::float8[]) AS p (name, step, value) WHERE r.id = $1
     ON CONFLICT (run_id, name, step) DO UPDATE SET value = EXCLUDED.value WHERE run_metrics.value <> EXCLUDED.value`,
    [runId, points.map(({ name }) => name), points.map(({ step }) => step), points.map(({ value }) => value)],
  );
}
