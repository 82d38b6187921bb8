import { describe, expect, it } from 'vitest';
import {
  judgeStream,
  startStream,
  watchAnswer,
  watchLevels,
  watchLosses,
  type ModelStream,
  type StreamedAnswer,
} from '../../../../core/monitoring/model-stream.js';
import { createPrng } from '../../../../ml/random/prng.js';
import { startRate, stepRate } from '../../../../ml/sequential/rate-alarm.js';

const HEADS = [
  { name: 'churn', task: 'binary' },
  { name: 'level', task: 'multiclass' },
];
const prng = createPrng(21);

const usual = (more: Partial<StreamedAnswer> = {}): StreamedAnswer => ({
  version: 'v1.0.0',
  arm: null,
  atMs: 0,
  features: { age: prng.next(), plan: prng.next() < 0.05 ? null : 'pro' },
  predictions: { churn: 0.2 + 0.6 * prng.next(), level: prng.next() < 0.9 ? 'low' : 'high' },
  latencyUs: 800 * Math.exp(0.4 * prng.nextGaussian()),
  isCached: prng.next() < 0.2,
  error: prng.next() < 0.002 ? 'failed' : null,
  ...more,
});

/** Shows answers until something is alarmed. @returns the signals, and after how many answers */
function showUntilAlarm(stream: ModelStream, most: number, next: () => StreamedAnswer) {
  const scores = new Map<string, number[]>();
  for (let at = 1; at <= most; at++) {
    watchAnswer(stream, next(), HEADS, scores);
    if (at % 50 === 0) watchLevels(stream, scores, 0);
    const alarmed = judgeStream(stream).filter(({ state }) => state === 'alarm');
    if (alarmed.length > 0) return { after: at, signals: alarmed.map(({ signal }) => signal) };
  }
  watchLevels(stream, scores, 0);
  return undefined;
}

function learnt(rows = 3000): ModelStream {
  const stream = startStream();
  expect(showUntilAlarm(stream, rows, usual)).toBeUndefined();
  return stream;
}

describe('the online detectors', () => {
  it('raise nothing in 30,000 usual answers, nor of rates near or above what is usual elsewhere', () => {
    const stream = startStream();
    expect(showUntilAlarm(stream, 30_000, usual)).toBeUndefined();
    expect(judgeStream(stream).filter(({ state }) => state !== 'ok')).toEqual([]);
    const rule = { floor: 0.005, odds: [5, 30, 200] };
    for (const rate of [0.003, 0.02, 0.4, 0.97]) {
      let alarms = 0;
      for (let run = 0; run < 20; run++) {
        const state = startRate(rule);
        for (let row = 0; row < 10_000; row++) {
          stepRate(state, prng.next() < rate, rule);
          alarms += Number(state.isAlarmed);
        }
      }
      expect(alarms, `at a rate of ${rate}`).toBe(0);
    }
  });

  it.each<[string, number, () => StreamedAnswer]>([
    ['errors', 60, () => usual({ error: prng.next() < 0.5 ? 'down' : null })],
    ['latency', 60, () => usual({ latencyUs: 20_000 * prng.next(), isCached: false })],
    ['constant:churn', 60, () => usual({ predictions: { churn: 0.5, level: prng.next() < 0.9 ? 'low' : 'high' } })],
    ['missing:age', 40, () => usual({ features: { plan: 'pro' } })],
    ['missing:plan', 80, () => usual({ features: { age: prng.next(), plan: null } })],
  ])('find a burst of %s within %i answers', (signal, within, next) => {
    const found = showUntilAlarm(learnt(), 500, next);
    expect(found?.signals).toEqual([signal]);
    expect(found?.after).toBeLessThanOrEqual(within);
  });

  it('end an alarm when all is usual again, and go on from what was kept', () => {
    const stream = learnt();
    expect(showUntilAlarm(stream, 500, () => usual({ error: 'down' }))?.signals).toEqual(['errors']);
    stream.told['errors'] = { state: 'alarm', atMs: 0 };
    const kept = JSON.parse(JSON.stringify(stream)) as ModelStream;
    const scores = new Map<string, number[]>();
    for (let at = 0; at < 1500; at++) {
      const answer = usual();
      watchAnswer(stream, answer, HEADS, scores);
      watchAnswer(kept, answer, HEADS, new Map());
    }
    expect(judgeStream(stream)).toMatchObject([{ signal: 'errors', state: 'ok' }]);
    expect(judgeStream(kept)).toEqual(judgeStream(stream));
  });

  it('call a move of the answers suspect, and a rise of the loss an alarm', () => {
    const stream = learnt();
    const scores = new Map<string, number[]>();
    for (let at = 0; at < 600; at++)
      watchAnswer(stream, usual({ predictions: { churn: 0.8 + 0.1 * prng.next() } }), HEADS, scores);
    watchLevels(stream, scores, 0);
    expect(judgeStream(stream)).toMatchObject([{ signal: 'score:churn', state: 'suspect', severity: 'low' }]);
    for (let at = 0; at < 1500; at++) watchLosses({ churn: (at < 1000 ? 0.1 : 0.4) + 0.1 * prng.next() }, scores);
    watchLevels(stream, scores, 0);
    expect(judgeStream(stream).find(({ signal }) => signal === 'loss:churn')).toMatchObject({
      state: 'alarm',
      evidence: { advice: 'retrain' },
    });
  });

  it('hold the alarm of a loss until it falls again', () => {
    const stream = startStream();
    let seconds = 0;
    const verdict = () => judgeStream(stream).find(({ signal }) => signal === 'loss:churn');
    const lose = (rows: number, mean: number) => {
      const scores = new Map<string, number[]>();
      // Ten a second.
      for (let at = 1; at <= rows; at++) {
        watchLosses({ churn: mean + 0.1 * prng.next() }, scores);
        if (at % 10 === 0) watchLevels(stream, scores, 1000 * ++seconds);
      }
      const found = verdict()?.state ?? 'ok';
      stream.told['loss:churn'] = { state: found, atMs: 0 };
      return found;
    };
    expect(lose(1000, 0.1)).toBe('ok');
    expect(lose(500, 0.4)).toBe('alarm');
    const since = Date.parse(verdict()!.evidence['since'] as string);
    expect(since, 'what came since is of the changed world, but for a few').toBeGreaterThan(95_000);
    expect(since).toBeLessThan(120_000);
    expect(lose(5000, 0.4), 'it moves no more, and is as bad as before').toBe('alarm');
    expect(lose(500, 0.1)).not.toBe('alarm');
    expect(lose(3000, 0.1)).toBe('ok');
  });

  it('watch the version that answers, not one under trial, and forget what was usual of the one before', () => {
    const stream = learnt();
    for (let at = 0; at < 200; at++) {
      watchAnswer(stream, usual({ version: 'v2.0.0', arm: 'candidate', error: 'down' }), HEADS, new Map());
      watchAnswer(stream, usual(), HEADS, new Map());
    }
    expect(judgeStream(stream)).toEqual([]);
    stream.told['constant:gone'] = { state: 'alarm', atMs: 0 };
    const slower = () =>
      usual({ version: 'v2.0.0', latencyUs: 20_000, predictions: { churn: 0.9 + 0.1 * prng.next() } });
    expect(showUntilAlarm(stream, 3000, slower)).toBeUndefined();
    expect(stream.version).toBe('v2.0.0');
    expect(judgeStream(stream)).toMatchObject([{ signal: 'constant:gone', state: 'ok' }]);
  });

  it('learn after a long time that what was unusual is usual now', () => {
    const stream = learnt(1000);
    const without = () => usual({ features: { plan: 'pro' } });
    expect(showUntilAlarm(stream, 100, without)).toBeDefined();
    for (let at = 0; at < 21_000; at++) watchAnswer(stream, without(), HEADS, new Map());
    expect(judgeStream(stream)).toEqual([]);
  });
});
