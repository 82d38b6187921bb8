import { describe, expect, it } from 'vitest';
import { tallyAnswer } from '../../../../core/monitoring/answer-tally.js';
import { expectedMetrics, realisedMetrics } from '../../../../core/monitoring/metrics-of-tally.js';
import { tallyOutcome } from '../../../../core/monitoring/outcome-tally.js';
import { summariseAnswers } from '../../../../core/monitoring/summarise-answers.js';
import { pastErrors, summarisePerformance } from '../../../../core/monitoring/summarise-performance.js';
import { addUp, bumpName, tallyOf, type Tally } from '../../../../core/monitoring/tally.js';
import { expectedAccuracy, expectedLogLoss, expectedRocAuc } from '../../../../ml/drift/expected-performance.js';
import { binnedRocArea } from '../../../../ml/evaluate/binned-roc-area.js';
import { histogramQuantile, logBucket, type LogHistogram } from '../../../../ml/evaluate/log-histogram.js';
import { evaluateClassification, evaluateRegression } from '../../../../ml/evaluate/metrics.js';
import { createPrng } from '../../../../ml/random/prng.js';

const prng = createPrng(5);
const round = (value: number) => Math.round(value * 1e6) / 1e6;
const answer = (predictions: Record<string, unknown>, more: object = {}) => ({
  predictions,
  latencyUs: 900,
  isCached: false,
  error: null,
  ...more,
});
const headOf = (tally: Tally, name: string) => tallyOf(tallyOf(tally, 'heads'), name);

/** Calibrated rows of a binary head, and the same in parts. */
const CHURN = [{ name: 'churn', task: 'binary' }];
const rows = Array.from({ length: 3000 }, () => {
  const p = round(1 / (1 + Math.exp(-3 * prng.nextGaussian())));
  return { p, truth: prng.next() < p };
});

describe('tallies', () => {
  it('of parts add up to that of the whole, in any order', () => {
    const whole: Tally = {};
    const parts: Tally[] = [{}, {}, {}];
    for (const [at, { p, truth }] of rows.entries())
      for (const tally of [whole, parts[at % 3]!]) {
        tallyAnswer(tally, answer({ churn: p }, { latencyUs: 100 + at, isCached: at % 4 === 0 }), CHURN);
        tallyOutcome(tally, { churn: p }, { churn: truth }, CHURN);
      }
    const sum = addUp(addUp(addUp({}, parts[2]!), parts[0]!), parts[1]!);
    const flat = (tally: Tally, path = ''): [string, number][] =>
      Object.entries(tally).flatMap(([name, value]) =>
        typeof value === 'number' ? [[path + name, value] as [string, number]] : flat(value, `${path}${name}.`),
      );
    const expected = new Map(flat(whole));
    const found = flat(sum);
    expect(found).toHaveLength(expected.size);
    for (const [path, value] of found) expect(value, path).toBeCloseTo(expected.get(path)!, 6);
  });

  it('count names that come from answers up to a limit, and no name reaches a prototype', () => {
    const tally: Tally = {};
    for (let at = 0; at < 300; at++) bumpName(tally, `item_${at}`);
    expect(Object.keys(tally)).toHaveLength(101);
    expect(tally['(other)']).toBe(200);
    const polluted: Tally = {};
    tallyAnswer(polluted, answer({ label: 'constructor' }), [{ name: 'label', task: 'multiclass' }]);
    expect(tallyOf(headOf(polluted, 'label'), 'classes')).toEqual({ constructor: 1 });
  });

  it('tell latencies within 2.5 % and survive a class or a head that is absent', () => {
    const histogram: LogHistogram = {};
    const values = Array.from({ length: 5000 }, () => Math.exp(6 + 2 * prng.nextGaussian())).toSorted((a, b) => a - b);
    for (const value of values) histogram[logBucket(value)] = (histogram[logBucket(value)] ?? 0) + 1;
    for (const share of [0.5, 0.95, 0.99])
      expect(Math.abs(histogramQuantile(histogram, share)! / values[Math.ceil(share * 5000) - 1]! - 1)).toBeLessThan(
        0.0251,
      );
    expect(histogramQuantile({}, 0.5)).toBeUndefined();
    const tally: Tally = {};
    tallyAnswer(tally, answer({}, { error: 'broken' }), CHURN);
    expect(summariseAnswers(tally)).toMatchObject({ requests: 1, errors: 1, error_share: 1, heads: {} });
    expect(summariseAnswers({}).latency_ms).toEqual({ p50: null, p95: null, p99: null });
  });
});

describe('metrics of a tally', () => {
  it('of probabilities are those of the rows', () => {
    const tally: Tally = {};
    for (const { p, truth } of rows) tallyOutcome(tally, { churn: p }, { churn: truth }, CHURN);
    const own = realisedMetrics(headOf(tally, 'churn'));
    const exact = evaluateClassification({
      probabilities: Float64Array.from(rows.flatMap(({ p }) => [1 - p, p])),
      labels: Float64Array.from(rows, ({ truth }) => Number(truth)),
      classes: 2,
      seed: 1,
    });
    for (const [name, digits] of [
      ['accuracy', 9],
      ['log_loss', 6],
      ['brier', 9],
      ['roc_auc', 3],
    ] as const) {
      expect(own[name]!.value, name).toBeCloseTo(exact[name]!.value!, digits);
      expect(own[name]!.lower, name).toBeCloseTo(exact[name]!.lower!, 2);
      expect(own[name]!.rows).toBe(3000);
    }
  });

  it('are expected from probabilities as the estimators over rows expect them', () => {
    const tally: Tally = {};
    for (const { p } of rows) tallyAnswer(tally, answer({ churn: p }), CHURN);
    const own = expectedMetrics(headOf(tally, 'churn'), undefined);
    const p = Float64Array.from(rows, (row) => row.p);
    const both = Float64Array.from(rows.flatMap((row) => [1 - row.p, row.p]));
    expect(own['accuracy']!.value).toBeCloseTo(expectedAccuracy(p.map((one) => Math.max(one, 1 - one)))!.value, 9);
    expect(own['log_loss']!.value).toBeCloseTo(expectedLogLoss(both, 2)!.value, 4);
    expect(own['roc_auc']!.value).toBeCloseTo(expectedRocAuc(p)!.value, 3);
    expect(own['roc_auc']!.method).toBe('confidence_based');
  });

  it('of several classes are those of the rows, and what their probabilities let expect is what turns out', () => {
    const heads = [{ name: 'label', task: 'multiclass' }];
    const labels = ['low', 'middle', 'high'];
    const answered: Tally = {};
    const known: Tally = {};
    const chances: number[] = [];
    const truths: number[] = [];
    for (let row = 0; row < 4000; row++) {
      const weights = labels.map(() => Math.exp(1.5 * prng.nextGaussian()));
      const total = weights.reduce((sum, one) => sum + one, 0);
      const own = weights.map((one) => round(one / total));
      const u = prng.next();
      const truth = u < own[0]! ? 0 : u < own[0]! + own[1]! ? 1 : 2;
      const predictions = {
        label: labels[own.indexOf(Math.max(...own))]!,
        probabilities: Object.fromEntries(labels.map((label, at) => [label, own[at]!])),
      };
      tallyAnswer(answered, answer(predictions), heads);
      tallyOutcome(known, predictions, { label: labels[truth]! }, heads);
      chances.push(...own);
      truths.push(truth);
    }
    const realised = realisedMetrics(headOf(known, 'label'));
    const expected = expectedMetrics(headOf(answered, 'label'), undefined);
    const probabilities = Float64Array.from(chances);
    const exact = evaluateClassification({ probabilities, labels: Float64Array.from(truths), classes: 3, seed: 1 });
    for (const metric of ['accuracy', 'log_loss', 'brier', 'roc_auc']) {
      const { value, lower, upper } = realised[metric]!;
      expect(value, metric).toBeCloseTo(exact[metric]!.value!, metric === 'roc_auc' ? 3 : 6);
      expect(Math.abs(expected[metric]!.value! - value!), metric).toBeLessThan(0.75 * (upper! - lower!));
      // What chance alone leaves between both is what the interval of the estimate says.
      expect((expected[metric]!.upper! - expected[metric]!.lower!) / (upper! - lower!)).toBeGreaterThan(0.6);
    }
  });

  it('of numbers have error, bias, coverage and an estimate from widths once there were truths enough', () => {
    const heads = [{ name: 'value', task: 'regression' }];
    const made = Array.from({ length: 800 }, () => {
      const scale = 0.5 + 2 * prng.next();
      const value = 10 * prng.nextGaussian();
      return { truth: value + scale * prng.nextGaussian(), value, scale };
    });
    const shape = ({ value, scale }: (typeof made)[number]) => ({
      value,
      interval: { lower: value - 1.645 * scale, upper: value + 1.645 * scale, level: 0.9 },
    });
    const past: Tally = {};
    for (const row of made) tallyOutcome(past, shape(row), { value: row.truth }, heads);
    const own = realisedMetrics(headOf(past, 'value'));
    const exact = evaluateRegression({
      predictions: Float64Array.from(made, (row) => row.value),
      targets: Float64Array.from(made, (row) => row.truth),
      seed: 1,
    });
    for (const name of ['mae', 'rmse', 'r2']) expect(own[name]!.value, name).toBeCloseTo(exact[name]!.value!, 6);
    expect(own['coverage']!.value).toBeGreaterThan(0.85);
    // Only the hard rows come now: the widths tell it before any truth does.
    const now: Tally = {};
    for (const row of made.filter(({ scale }) => scale > 2)) tallyAnswer(now, answer(shape(row)), heads);
    const { value, method } = expectedMetrics(headOf(now, 'value'), headOf(past, 'value'))['mae']!;
    expect(method).toBe('direct_loss');
    expect(value! / (2.25 * Math.sqrt(2 / Math.PI))).toBeCloseTo(1, 1);
    expect(expectedMetrics(headOf(now, 'value'), {})['mae'], 'nothing is known of the loss').toBeUndefined();
  });

  it('of forecasts count the steps that are known; of lists what was taken', () => {
    const tally: Tally = {};
    const forecast = {
      cpu_usage_forecast: [1, 2, 3],
      intervals: { cpu_usage: [1, 2, 3].map((at) => ({ lower: at - 1, upper: at + 1 })) },
    };
    tallyOutcome(tally, forecast, { cpu_usage_forecast: [1, null, 5] }, [{ name: 'cpu_usage', task: 'forecast' }]);
    tallyOutcome(tally, forecast, { cpu_usage_forecast: [2, 3] }, [{ name: 'cpu_usage', task: 'forecast' }]);
    const usage = realisedMetrics(headOf(tally, 'cpu_usage'));
    expect(usage['mae']).toMatchObject({ value: 1, rows: 4 });
    expect(usage['coverage']!.value).toBe(0.75);
    expect(usage['mase']!.value, 'the truths moved by 1 in the one step that is known').toBe(1);
    const items = ['a', 'b', 'c'].map((item_id) => ({ item_id }));
    const lists: Tally = {};
    const heads = [{ name: 'items', task: 'ranking' }];
    tallyOutcome(lists, { items }, { items: 'b' }, heads);
    tallyOutcome(lists, { items }, { items: ['x'] }, heads);
    const ranked = realisedMetrics(headOf(lists, 'items'));
    expect(ranked['hit_rate_at_10']!.value).toBe(0.5);
    expect(ranked['ndcg_at_10']!.value).toBeCloseTo(0.5 / Math.log2(3), 12);
  });

  it('leave out truths that mean nothing for a head', () => {
    const tally: Tally = {};
    expect(tallyOutcome(tally, { churn: 0.2 }, { churn: 'perhaps' }, CHURN)).toEqual({});
    expect(tallyOutcome(tally, { churn: 0.2 }, { other: true }, CHURN)).toEqual({});
    expect(tally).toEqual({});
    expect(binnedRocArea([{ rows: 3, score: 0.4, positives: 0 }])).toBeUndefined();
  });
});

describe('the performance of a version', () => {
  it('stands beside its estimate, the error that this had so far, and its own baseline', () => {
    const intervals = Array.from({ length: 4 }, (_, day) => {
      const outcomes: Tally = {};
      for (const { p, truth } of rows.slice(day * 700, day * 700 + 700))
        tallyOutcome(outcomes, { churn: p }, { churn: truth }, CHURN);
      return outcomes;
    });
    const errors = pastErrors(intervals)['churn']!;
    expect(errors['accuracy']!.intervals).toBe(4);
    expect(errors['accuracy']!.mean_absolute_error).toBeLessThan(0.03);
    const baseline = { churn: { accuracy: { value: 0.9, lower: 0.88, upper: 0.92, rows: 500 } } };
    const entry = summarisePerformance({ answers: { requests: 1400 }, outcomes: intervals[0]! }, {}, baseline);
    expect(entry).toMatchObject({ requests: 1400, labelled: 700, label_coverage: 0.5 });
    expect(entry.heads['churn']!['accuracy']).toMatchObject({ estimated: null, baseline: { value: 0.9 } });
  });
});
