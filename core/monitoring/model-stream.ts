import { levelVoices, startLevel, stepLevel, type LevelState } from '../../ml/drift/level-watch.js';
import { histogramQuantile, logBucket, type LogHistogram } from '../../ml/evaluate/log-histogram.js';
import {
  evidenceOf,
  startRate,
  stepRate,
  usualBound,
  type RateRule,
  type RateState,
} from '../../ml/sequential/rate-alarm.js';
import type { WatchedHead } from './answer-tally.js';
import type { FindingState, Severity } from './finding.js';

/** One answer as the detectors see it. */
export interface StreamedAnswer {
  version: string;
  arm: string | null;
  atMs: number;
  features: Record<string, unknown>;
  predictions: Record<string, unknown>;
  latencyUs: number;
  isCached: boolean;
  error: string | null;
}

/** What the detectors of a model remember; plain JSON, without any value of a feature. */
export interface ModelStream {
  version: string | null;
  /** Answers in a row by another version: a rollout is over when there are several. */
  others: number;
  /** By signal, such as `errors` or `missing:age`. */
  rates: Record<string, RateState>;
  /** By signal, such as `score:churn`. */
  levels: Record<string, LevelState>;
  latency: { histogram: LogHistogram; rows: number; limitUs: number };
  /** Digests of the features and of the answer of each head of the last answer that was computed. */
  last: { features: number; answers: Record<string, number> };
  /** By signal what was found last, and when. */
  told: Record<string, { state: FindingState; atMs: number }>;
}

export const startStream = (): ModelStream => ({
  version: null,
  others: 0,
  rates: {},
  levels: {},
  latency: { histogram: {}, rows: 0, limitUs: 0 },
  last: { features: 0, answers: {} },
  told: {},
});

const RULES = {
  errors: { floor: 0.005, odds: [5, 30, 200] },
  latency: { floor: 0.03, odds: [8, 40] },
  constant: { floor: 0.05, odds: [10, 100] },
  missing: { floor: 0.01, odds: [10, 50] },
} satisfies Record<string, RateRule>;
type Kind = keyof typeof RULES;

const ruleOf = (signal: string): RateRule => RULES[signal.split(':', 1)[0] as Kind];
/** A version answers alone from this many answers in a row on. */
const SWITCH_AFTER = 20;
/** Features whose absence is watched. */
const MOST_FEATURES = 200;
/** Computed answers until latency has a limit, and between two looks at it. */
const LATENCY_EVERY = 500;
const LATENCY_ROWS = 20_000;
/** An answer is slow beyond this many times the usual 99th percentile. */
const SLOW_TIMES = 1.5;

/** Takes one answer. @returns false for one that is none of the version that the detectors watch */
export function watchAnswer(
  stream: ModelStream,
  answer: StreamedAnswer,
  heads: readonly WatchedHead[],
  scores: Map<string, number[]>,
): boolean {
  if (!isOfWatched(stream, answer, scores)) return false;
  watchRate(stream, 'errors', answer.error !== null);
  if (answer.error !== null) return true;
  watchFeatures(stream, answer.features);
  if (answer.isCached) return true;
  watchLatency(stream, answer.latencyUs);
  watchSameness(stream, answer, heads);
  for (const { name } of heads) {
    const score = answer.predictions[name];
    if (typeof score === 'number') push(scores, `score:${name}`, score);
  }
  return true;
}

function push(scores: Map<string, number[]>, signal: string, value: number): void {
  const known = scores.get(signal);
  if (known) known.push(value);
  else scores.set(signal, [value]);
}

/** Takes the losses of answers whose truth has come, by head. */
export function watchLosses(losses: Record<string, number>, scores: Map<string, number[]>): void {
  for (const [head, loss] of Object.entries(losses)) push(scores, `loss:${head}`, loss);
}

/** Takes what has gathered since the last time. @param atMs when the last of these answers was given */
export function watchLevels(stream: ModelStream, scores: Map<string, number[]>, atMs: number): void {
  for (const [signal, values] of scores) stepLevel((stream.levels[signal] ??= startLevel()), values, atMs);
  scores.clear();
}

function isOfWatched(stream: ModelStream, { version, arm }: StreamedAnswer, scores: Map<string, number[]>): boolean {
  if (version === stream.version) {
    stream.others = 0;
    return true;
  }
  // Versions under trial are watched by their rollout or experiment.
  if (stream.version !== null && (arm !== null || ++stream.others < SWITCH_AFTER)) return false;
  // What is usual of one version says nothing of the next; which features and errors there are does.
  const rates = Object.entries(stream.rates).filter(([signal]) => !signal.startsWith('constant'));
  Object.assign(stream, startStream(), { version, told: stream.told, rates: Object.fromEntries(rates) });
  scores.clear();
  return true;
}

function watchRate(stream: ModelStream, signal: string, isHit: boolean): void {
  const rule = ruleOf(signal);
  stepRate((stream.rates[signal] ??= startRate(rule)), isHit, rule);
}

function watchFeatures(stream: ModelStream, features: Record<string, unknown>): void {
  for (const signal of Object.keys(stream.rates))
    if (signal.startsWith('missing:')) watchRate(stream, signal, isMissing(features, signal.slice('missing:'.length)));
  let known = Object.keys(stream.rates).length;
  for (const name of Object.keys(features)) {
    const signal = `missing:${name}`;
    if (known >= MOST_FEATURES || Object.hasOwn(stream.rates, signal)) continue;
    watchRate(stream, signal, isMissing(features, name));
    known++;
  }
}

const isMissing = (features: Record<string, unknown>, name: string) =>
  !Object.hasOwn(features, name) || features[name] === null;

function watchLatency({ latency, rates }: ModelStream, us: number): void {
  if (latency.limitUs > 0) {
    const rule = RULES.latency;
    stepRate((rates['latency'] ??= startRate(rule)), us > latency.limitUs, rule);
    if (rates['latency'].isAlarmed) return;
  }
  const bucket = logBucket(us);
  latency.histogram[bucket] = (latency.histogram[bucket] ?? 0) + 1;
  if (++latency.rows % LATENCY_EVERY !== 0) return;
  latency.limitUs = SLOW_TIMES * (histogramQuantile(latency.histogram, 0.99) ?? 0);
  if (latency.rows < LATENCY_ROWS) return;
  latency.rows /= 2;
  for (const [name, count] of Object.entries(latency.histogram)) latency.histogram[name] = count / 2;
}

/** Whether different features get the very same answer, again and again. */
function watchSameness(
  stream: ModelStream,
  { features, predictions }: StreamedAnswer,
  heads: readonly WatchedHead[],
): void {
  const own = digestText(JSON.stringify(features));
  const answers: Record<string, number> = {};
  for (const { name, task } of heads) {
    const answer = predictions[task === 'forecast' ? `${name}_forecast` : name];
    if (answer === undefined) continue;
    answers[name] = digestText(JSON.stringify(answer));
    const before = stream.last.answers[name];
    if (before !== undefined && own !== stream.last.features)
      watchRate(stream, `constant:${name}`, before === answers[name]);
  }
  stream.last = { features: own, answers };
}

/** FNV-1a, 32 bits: two texts are taken for equal by mistake once in 4e9. */
function digestText(text: string): number {
  let digest = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) digest = Math.imul(digest ^ text.charCodeAt(at), 0x01000193);
  return digest >>> 0;
}

/** What a signal shows now. */
export interface SignalVerdict {
  signal: string;
  state: FindingState;
  severity: Severity;
  value: number;
  threshold?: number;
  summary: string;
  evidence: Record<string, unknown>;
}

/** All signals that are not `ok`, and those that were not when they were told last. */
export function judgeStream(stream: ModelStream): SignalVerdict[] {
  const isTold = (signal: string) => (stream.told[signal]?.state ?? 'ok') !== 'ok';
  const rates = Object.entries(stream.rates).filter(([signal, { isAlarmed }]) => isAlarmed || isTold(signal));
  const levels = Object.entries(stream.levels).filter(([signal, state]) => levelVoices(state) > 0 || isTold(signal));
  // A signal of the version before ends with it.
  const gone = Object.keys(stream.told).filter(
    (signal) => isTold(signal) && !Object.hasOwn(stream.rates, signal) && !Object.hasOwn(stream.levels, signal),
  );
  return [
    ...rates.map(([signal, state]) => judgeRate(signal, state)),
    ...levels.map(([signal, state]) => judgeLevel(signal, state, stream.told[signal]?.state === 'alarm')),
    ...gone.map((signal) => ({
      signal,
      state: 'ok' as const,
      severity: 'none' as const,
      value: 0,
      summary: `${signal}: another version answers now.`,
      evidence: {},
    })),
  ];
}

const SENTENCES: Record<Kind, (of: string) => string> = {
  errors: () => 'answers that the version could not give',
  latency: () => 'answers slower than usual',
  constant: (of) => `answers of ${of} that are the same as the one before although the features differ`,
  missing: (of) => `requests without ${of}`,
};
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function judgeRate(signal: string, state: RateState): SignalVerdict {
  const rule = ruleOf(signal);
  const [kind, ...of] = signal.split(':');
  const what = SENTENCES[kind as Kind](of.join(':'));
  const usual = state.of > 0 ? state.hits / state.of : 0;
  const threshold = usualBound(state, rule);
  const figures = `${percent(state.recent)} of late, ${percent(usual)} usually`;
  return {
    signal,
    state: state.isAlarmed ? 'alarm' : 'ok',
    severity: !state.isAlarmed ? 'none' : kind === 'errors' || kind === 'constant' ? 'high' : 'medium',
    value: state.recent,
    threshold,
    summary: state.isAlarmed ? `Many ${what}: ${figures}.` : `As usual again: ${what}, ${figures}.`,
    evidence: {
      usual,
      recent: state.recent,
      log_evidence: evidenceOf(state),
      rows: state.rows,
      rule,
      advice: 'ignore',
    },
  };
}

/**
 * The mean of answers moves with the hour and the week: only of losses is it an alarm. A loss that has risen and moves no more is as bad as
 * before, so that the alarm stands until it falls again, or until another version answers.
 */
function judgeLevel(signal: string, state: LevelState, isAlarmed: boolean): SignalVerdict {
  const voices = levelVoices(state);
  const isLoss = signal.startsWith('loss:');
  const what = signal.slice(signal.indexOf(':') + 1);
  const hasRisen = isLoss && state.to > state.from;
  const found = hasRisen && (voices === 2 || isAlarmed) ? 'alarm' : voices === 0 ? 'ok' : 'suspect';
  const mean = `The mean ${isLoss ? 'loss' : 'answer'} of ${what}`;
  const figures = `from ${state.from.toPrecision(3)} to ${state.to.toPrecision(3)}`;
  return {
    signal,
    state: found,
    severity: found === 'ok' ? 'none' : found === 'alarm' ? 'medium' : 'low',
    value: state.to,
    summary:
      found === 'ok'
        ? `${mean} moves no more.`
        : state.spoke.window > 0
          ? `${mean} has moved ${figures}.`
          : `${mean} may be moving.`,
    evidence: {
      from: state.from,
      to: state.to,
      page_hinkley_and_adaptive_window: voices,
      ...(found === 'alarm' && state.changedAtMs !== undefined
        ? { since: new Date(state.changedAtMs).toISOString() }
        : {}),
      advice: found === 'alarm' ? 'retrain' : 'ignore',
    },
  };
}
