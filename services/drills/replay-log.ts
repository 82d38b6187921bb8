import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { replaySplit, sumEveryone, type ReplayEnd, type ReplayLog } from '../../core/decisions/replay-split.js';
import { DEFAULT_ROLLOUT_RULE, type RolloutRule } from '../../core/decisions/rollout-rule.js';
import { ServiceError } from '../../core/errors.js';
import type { ReplayDrillRequest } from '../../core/schemas/drill.js';
import { wilsonInterval } from '../../ml/evaluate/roc.js';
import { createPrng } from '../../ml/random/prng.js';
import type { Database } from '../database/database.js';
import { withStatementLimit } from '../database/watched-client.js';
import { headsOf, type OpenDrill } from './open-drill.js';
import { ENTITY_SUMS, measureColumns, NEWEST_OUTCOME, presentMeasure } from '../deployments/collect-evidence.js';
import { measuresOf, type MeasuredHead } from '../deployments/rollout-measures.js';

/** Both cohorts of a split must have the entities that the rule asks of each. */
const LEAST_ENTITIES = 2 * DEFAULT_ROLLOUT_RULE.leastEntities;
const LEAST_REQUESTS = 1000;
const ROWS_AT_A_TIME = 20_000;
/** Summing up a long log takes more than other queries may. */
const SUM_UP_WITHIN_MS = 15 * 60_000;
const LEVEL = 0.95;

interface Rate {
  count: number;
  rate: number;
  lower: number;
  upper: number;
}

export interface ReplayResult {
  log: {
    requests: number;
    entities: number;
    from: string;
    to: string;
    windows: number;
    window_seconds: number;
    /** Answers slower than this count as slow, in microseconds. */
    slow_us: number;
  };
  replays: number;
  /** The share of splits without a difference that may be rolled back, over all guardrails and looks. */
  promised: number;
  false_alarms: Rate;
  guardrails: ({ measure: string; promised: number } & Rate)[];
  promoted: Rate & { median_windows: number | null; median_seconds: number | null };
  /** Splits that would have asked a person at any time. */
  asked: Rate;
}

interface LogSpan {
  requests: number;
  entities: number;
  from: Date;
  to: Date;
  slow_us: number;
}

const sinceOf = ({ days }: ReplayDrillRequest, until: Date) => new Date(until.getTime() - days * 86_400_000);

/** Rows that tell whether a log is long enough, without a look at all of it. */
const LOOKED_AT = 100_000;

/**
 * Refuses a log that could show nothing, quickly also where it is long.
 * @throws ServiceError `log_insufficient` that says how much is missing
 */
export async function refuseShortLog({ pool }: Database, request: ReplayDrillRequest, until: Date): Promise<void> {
  const { rows } = await pool.query<{ requests: number; entities: number }>(
    `SELECT count(*)::float8 AS requests, count(DISTINCT entity)::float8 AS entities FROM (
       SELECT coalesce(entity_id, id) AS entity FROM predictions
       WHERE model = $1 AND created_at >= $2 AND created_at < $3 AND shadow_of IS NULL LIMIT $4) looked_at`,
    [request.model, sinceOf(request, until), until, LOOKED_AT],
  );
  const { requests, entities } = rows[0]!;
  if (requests < LOOKED_AT) refuseTooLittle(request, requests, entities);
}

function refuseTooLittle({ model, days }: ReplayDrillRequest, requests: number, entities: number): void {
  if (requests >= LEAST_REQUESTS && entities >= LEAST_ENTITIES) return;
  throw new ServiceError(
    'log_insufficient',
    `The log of ${model} has ${requests} requests of ${entities} entities in the last ${days} days, and a replay needs ${LEAST_REQUESTS} of ${LEAST_ENTITIES}: wait, or ask for more days.`,
    [{ path: 'days', message: 'takes in too little of the log' }],
  );
}

/**
 * What there is to replay.
 * @throws ServiceError `log_insufficient` that says how much is missing
 */
export async function describeLog(database: Database, request: ReplayDrillRequest, until: Date): Promise<LogSpan> {
  const found = await withLongQueries(database, async (client) => {
    const { rows } = await client.query<Omit<LogSpan, 'from' | 'to'> & { from: Date | null; to: Date | null }>(
      `SELECT count(*)::float8 AS requests, count(DISTINCT coalesce(entity_id, id))::float8 AS entities, min(created_at) AS from,
         max(created_at) AS to, greatest($4::float8, coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_us)
           FILTER (WHERE NOT cached AND error IS NULL), 0))::float8 AS slow_us
       FROM predictions WHERE model = $1 AND created_at >= $2 AND created_at < $3 AND shadow_of IS NULL`,
      [request.model, sinceOf(request, until), until, Math.round(request.canary.slow_ms * 1000)],
    );
    return rows[0]!;
  });
  const { requests, entities, from, to, slow_us } = found;
  refuseTooLittle(request, requests, entities);
  // A request is there, so there is a first one.
  return { requests, entities, from: from!, to: to!, slow_us };
}

/** A transaction whose queries may take longer than those of requests. */
async function withLongQueries<T>({ pool }: Database, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN READ ONLY');
    const result = await withStatementLimit(client, SUM_UP_WITHIN_MS, () => work(client));
    await client.query('COMMIT');
    client.release();
    return result;
  } catch (error) {
    // A connection in the middle of a transaction is no use to anybody.
    client.release(true);
    throw error;
  }
}

/** Reads the log, summed up by the database: no more than a row an entity and window comes here, into flat arrays. */
export async function readReplayLog(
  database: Database,
  { model, windows, canary }: ReplayDrillRequest,
  span: LogSpan,
  heads: readonly MeasuredHead[],
): Promise<ReplayLog> {
  const measures = measuresOf(heads, span.slow_us, canary);
  const windowSeconds = Math.max(0.001, (span.to.getTime() - span.from.getTime() + 1) / 1000 / windows);
  const log = new GrowingLog(measures.length);
  await withLongQueries(database, async (client) => {
    await client.query(
      `DECLARE replayed NO SCROLL CURSOR FOR
       WITH measured AS (
         SELECT coalesce(p.entity_id, p.id) COLLATE "C" AS entity,
           least($4::int - 1, floor(extract(epoch FROM p.created_at - $2::timestamptz) / $5::float8))::int AS w,
           ${measureColumns(measures, 'p')}
         FROM predictions p ${NEWEST_OUTCOME('p.id', '$2')}
         WHERE p.model = $1 AND p.created_at >= $2 AND p.created_at <= $3 AND p.shadow_of IS NULL)
       SELECT entity, w, ${ENTITY_SUMS(measures)} FROM measured GROUP BY 1, 2 ORDER BY 1, 2`,
      [model, span.from, span.to, windows, windowSeconds],
    );
    for (let read = ROWS_AT_A_TIME; read === ROWS_AT_A_TIME;) {
      const { rows } = await client.query<unknown[]>({
        text: `FETCH ${ROWS_AT_A_TIME} FROM replayed`,
        rowMode: 'array',
      });
      for (const row of rows) log.add(row as [string, number, ...number[]]);
      read = rows.length;
    }
  });
  return { measures: measures.map(presentMeasure), windows, windowSeconds, ...log.toArrays() };
}

/** Rows of entities, in order, into arrays that double when they are full. */
class GrowingLog {
  #rows = 0;
  #entities = 0;
  #last: string | undefined;
  #starts = new Uint32Array(1024);
  #windowOfRow = new Uint16Array(4096);
  #values: Float64Array;

  constructor(private readonly measures: number) {
    this.#values = new Float64Array(4096 * 2 * measures);
  }

  /** @param row entity, window, and by measure the requests and the total of that window */
  add([entity, window, ...sums]: [string, number, ...number[]]): void {
    const width = 2 * this.measures;
    if (this.#rows === this.#windowOfRow.length) {
      this.#windowOfRow = doubled(this.#windowOfRow);
      this.#values = doubled(this.#values);
    }
    if (this.#entities + 1 >= this.#starts.length) this.#starts = doubled(this.#starts);
    const isNew = entity !== this.#last;
    if (isNew) this.#starts[this.#entities++] = this.#rows;
    this.#last = entity;
    const at = this.#rows * width;
    for (let i = 0; i < width; i++) this.#values[at + i] = sums[i]! + (isNew ? 0 : this.#values[at - width + i]!);
    this.#windowOfRow[this.#rows++] = window;
  }

  toArrays() {
    this.#starts[this.#entities] = this.#rows;
    return {
      starts: this.#starts.subarray(0, this.#entities + 1),
      windowOfRow: this.#windowOfRow.subarray(0, this.#rows),
      values: this.#values.subarray(0, this.#rows * 2 * this.measures),
    };
  }
}

function doubled<A extends Uint32Array | Uint16Array | Float64Array>(array: A): A {
  const grown = new (array.constructor as new (length: number) => A)(array.length * 2);
  grown.set(array);
  return grown;
}

/** As a rollout of this model would be judged. The windows of a replay are given, so their number is no reason to ask. */
export function replayRule({ canary }: Pick<ReplayDrillRequest, 'canary'>): RolloutRule {
  return { ...DEFAULT_ROLLOUT_RULE, leastRequests: canary.min_samples, mostWindows: 1_000_000 };
}

/**
 * Splits the entities again and again at random, each time by numbers of its own.
 * @param run.onReplay told after each; others get their turn in between
 */
export async function replayMany(
  log: ReplayLog,
  { replays, seed, rule }: { replays: number; seed: number; rule: RolloutRule },
  run: { signal?: AbortSignal; onReplay?: (share: number) => void } = {},
): Promise<ReplayEnd[]> {
  const everyone = sumEveryone(log);
  const ends: ReplayEnd[] = [];
  for (let replay = 0; replay < replays; replay++) {
    const prng = createPrng(seed, replay);
    ends.push(replaySplit(log, () => prng.next() < 0.5, rule, everyone));
    run.onReplay?.((replay + 1) / replays);
    await nextTurn();
    run.signal?.throwIfAborted();
  }
  return ends;
}

/** The realised rates with their intervals: of splits of this log, not of logs to come. */
export function sumUpReplays(
  log: ReplayLog,
  ends: readonly ReplayEnd[],
  rule: RolloutRule,
  span: LogSpan,
): ReplayResult {
  const rateOf = (happens: (end: ReplayEnd) => unknown): Rate => {
    const count = ends.filter(happens).length;
    return { count, rate: count / ends.length, ...wilsonInterval(count, ends.length, LEVEL) };
  };
  const promotedAt = ends.flatMap(({ promotedAt: at }) => (at > 0 ? [at] : [])).toSorted((a, b) => a - b);
  const median = promotedAt[Math.floor(promotedAt.length / 2)] ?? null;
  return {
    log: {
      requests: span.requests,
      entities: span.entities,
      from: span.from.toISOString(),
      to: span.to.toISOString(),
      windows: log.windows,
      window_seconds: log.windowSeconds,
      slow_us: span.slow_us,
    },
    replays: ends.length,
    promised: rule.harmAlpha,
    false_alarms: rateOf(({ rolledBackAt }) => rolledBackAt > 0),
    guardrails: log.measures.map(({ measure }, at) => ({
      measure,
      promised: rule.harmAlpha / log.measures.length,
      ...rateOf(({ isHarmful }) => isHarmful[at]),
    })),
    promoted: {
      ...rateOf(({ promotedAt: at }) => at > 0),
      median_windows: median,
      median_seconds: median === null ? null : median * log.windowSeconds,
    },
    asked: rateOf(({ hasAsked }) => hasAsked),
  };
}

/** The whole replay of a drill. @throws ServiceError `log_insufficient`, `version_not_deployed` */
export async function replayDrill(
  { model, request }: OpenDrill,
  { database, ...run }: { database: Database; signal?: AbortSignal; onReplay?: (share: number) => void },
): Promise<ReplayResult> {
  const asked = request as ReplayDrillRequest;
  const span = await describeLog(database, asked, new Date());
  const log = await readReplayLog(database, asked, span, await headsOf(database, model));
  const rule = replayRule(asked);
  return sumUpReplays(log, await replayMany(log, { ...asked, rule }, run), rule, span);
}
