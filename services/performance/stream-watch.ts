import type { PoolClient } from 'pg';
import type { Finding } from '../../core/monitoring/finding.js';
import {
  judgeStream,
  startStream,
  watchAnswer,
  watchLevels,
  watchLosses,
  type ModelStream,
  type SignalVerdict,
} from '../../core/monitoring/model-stream.js';
import { writeFindings } from '../monitors/monitor-findings.js';
import type { JudgedRow } from './follow-outcomes.js';
import type { FollowedRow } from './follow-predictions.js';
import type { WatchedModels } from './watched-models.js';

/** What is seen in rows older than this is learnt from, and told nobody. */
const STALE_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** An alarm that goes on is told again, so that its figures are of now. */
const TELL_AGAIN_MS = 5 * MINUTE_MS;
/** Windows of what is going on end on whole minutes. */
const minuteAfter = (atMs: number) => Math.floor(atMs / MINUTE_MS + 1) * MINUTE_MS;

interface Watched {
  stream: ModelStream;
  scores: Map<string, number[]>;
  /** When the newest answer was given, or the newest truth came. */
  atMs: number;
  /** When the last answer was given that the levels were told of. */
  answeredMs: number;
}

/**
 * Shows the log, row by row in the order of arrival, to the online detectors of each model. What they remember is read and written in the
 * transaction that moves the cursor, together with what they found.
 */
export class StreamWatch {
  readonly #watched = new Map<string, Watched>();

  constructor(
    private readonly client: PoolClient,
    private readonly models: WatchedModels,
  ) {}

  async addAnswer(row: FollowedRow): Promise<void> {
    if (row.arm === 'shadow' || !(await this.models.settings(row.model)).stream) return;
    const watched = await this.#find(row.model);
    const atMs = row.created_at.getTime();
    const answer = {
      version: row.version,
      arm: row.arm,
      atMs,
      features: row.features,
      predictions: row.predictions,
      latencyUs: row.latency_us,
      isCached: row.cached,
      error: row.error,
    };
    const heads = await this.models.heads(row.model, row.version);
    if (!watchAnswer(watched.stream, answer, heads, watched.scores)) return;
    watched.atMs = Math.max(watched.atMs, atMs);
    watched.answeredMs = atMs;
  }

  async addLosses(row: JudgedRow & { received_at: Date }, losses: Record<string, number>): Promise<void> {
    if (!(await this.models.settings(row.model)).stream) return;
    const watched = await this.#find(row.model);
    if (row.version !== watched.stream.version) return;
    watchLosses(losses, watched.scores);
    watched.atMs = Math.max(watched.atMs, row.received_at.getTime());
    watched.answeredMs = row.created_at.getTime();
  }

  /** Keeps what the detectors remember, and what they found, in the transaction of the client. */
  async save(nowMs: number): Promise<void> {
    if (this.#watched.size === 0) return;
    const findings: Finding[] = [];
    for (const [model, watched] of this.#watched) {
      watchLevels(watched.stream, watched.scores, watched.answeredMs);
      const isStale = watched.atMs < nowMs - STALE_MS;
      for (const verdict of judgeStream(watched.stream)) {
        const finding = tell(model, watched, verdict, nowMs);
        if (finding && !isStale) findings.push(finding);
      }
    }
    await writeFindings({ pool: this.client }, findings);
    await this.client.query(
      `INSERT INTO stream_states (model, state) SELECT model, state FROM jsonb_to_recordset($1::jsonb) AS s(model text, state jsonb)
       ON CONFLICT (model) DO UPDATE SET state = EXCLUDED.state, updated_at = CURRENT_TIMESTAMP`,
      [JSON.stringify([...this.#watched].map(([model, { stream }]) => ({ model, state: stream })))],
    );
  }

  async #find(model: string): Promise<Watched> {
    const known = this.#watched.get(model);
    if (known) return known;
    const { rows } = await this.client.query<{ state: ModelStream }>(
      'SELECT state FROM stream_states WHERE model = $1',
      [model],
    );
    const watched = {
      stream: rows[0]?.state ?? startStream(),
      scores: new Map<string, number[]>(),
      atMs: 0,
      answeredMs: 0,
    };
    this.#watched.set(model, watched);
    return watched;
  }
}

/** A finding where the state of a signal has changed, or an alarm goes on. */
function tell(model: string, { stream, atMs }: Watched, verdict: SignalVerdict, nowMs: number): Finding | undefined {
  const { signal, state, severity, value, threshold, summary, evidence } = verdict;
  const before = stream.told[signal];
  const isChanged = (before?.state ?? 'ok') !== state;
  if (!isChanged && !(state === 'alarm' && nowMs - (before?.atMs ?? 0) >= TELL_AGAIN_MS)) return undefined;
  // A window of its own, so that an end within the same minute does not hide the alarm.
  const endMs = Math.max(minuteAfter(atMs), before ? before.atMs + MINUTE_MS : 0);
  stream.told[signal] = { state, atMs: endMs };
  return {
    model,
    ...(stream.version === null ? {} : { version: stream.version }),
    monitor: 'stream',
    subject: `stream:${signal}`,
    segment: '',
    window: { start: new Date(endMs - MINUTE_MS), end: new Date(endMs) },
    state,
    severity,
    value,
    ...(threshold === undefined ? {} : { threshold }),
    summary,
    evidence,
  };
}
