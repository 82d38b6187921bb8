import { describe, expect, it } from 'vitest';
import { rocArea } from '../../../ml/evaluate/roc.js';
import { createPrng } from '../../../ml/random/prng.js';
import { formatCell, formatNumber, formatShare, formatTime } from '../../../services/reports/format-value.js';
import type { ReportPlot, ReportSection } from '../../../services/reports/report-document.js';
import { anomalySection } from '../../../services/reports/sections/anomaly-section.js';
import { classificationSection } from '../../../services/reports/sections/classification-section.js';
import { comparisonSection } from '../../../services/reports/sections/comparison-section.js';
import { forecastSection } from '../../../services/reports/sections/forecast-section.js';
import { importanceSection } from '../../../services/reports/sections/importance-section.js';
import { learningCurveSection } from '../../../services/reports/sections/learning-curve-section.js';
import { metricsSection, promotionSection, summarise } from '../../../services/reports/sections/metrics-section.js';
import { regressionSection } from '../../../services/reports/sections/regression-section.js';
import { rocPoints } from '../../../services/reports/sections/roc-points.js';
import { slicesSection } from '../../../services/reports/sections/slices-section.js';
import { thinEvenly, thinPoints } from '../../../services/reports/thin-points.js';

function plotOf<Kind extends ReportPlot['kind']>(section: ReportSection, kind: Kind) {
  return section.plots.find((plot): plot is Extract<ReportPlot, { kind: Kind }> => plot.kind === kind)!;
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const figure = (value: number) => ({ value, lower: value - 0.1, upper: value + 0.1, rows: 100 });

describe('ROC points', () => {
  it('take rows of equal score together and run from corner to corner', () => {
    const points = rocPoints(Float64Array.of(0.9, 0.9, 0.4, 0.1), Uint8Array.of(1, 0, 1, 0));
    expect(points.map((p) => [p.threshold, p.false_positive_rate, p.true_positive_rate])).toEqual([
      [null, 0, 0],
      [0.9, 0.5, 0.5],
      [0.4, 0.5, 1],
      [0.1, 1, 1],
    ]);
  });

  it('enclose the area that is stated beside them, to what thinning costs', () => {
    const prng = createPrng(5, 1);
    const truths = Uint8Array.from({ length: 5000 }, () => (prng.next() < 0.3 ? 1 : 0));
    const scores = Float64Array.from(truths, (truth) => prng.nextGaussian() + truth);
    const points = rocPoints(scores, truths);
    let area = 0;
    for (let i = 1; i < points.length; i++) {
      const [a, b] = [points[i - 1]!, points[i]!];
      area += ((b.false_positive_rate - a.false_positive_rate) * (a.true_positive_rate + b.true_positive_rate)) / 2;
    }
    expect(points).toHaveLength(200);
    // 200 of 5,000 corners: what is cut off is a fraction of a step of 1/200 a side.
    expect(Math.abs(area - rocArea(scores, truths).area)).toBeLessThan(0.002);
  });

  it('are none where all rows are of one kind', () => {
    expect(rocPoints(Float64Array.of(0.1, 0.2), Uint8Array.of(1, 1))).toEqual([]);
  });
});

describe('the section of a classification', () => {
  const binary = {
    head: 'risk',
    labels: [0, 1, 1, 0],
    probabilities: Float64Array.of(0.8, 0.2, 0.3, 0.7, 0.6, 0.4, 0.9, 0.1),
    classes: ['no', 'yes'],
  };

  it('counts each row once in mistakes, bins and distribution', () => {
    const section = classificationSection(binary);
    expect(plotOf(section, 'confusion').counts).toEqual([
      [2, 0],
      [1, 1],
    ]);
    expect(sum(plotOf(section, 'reliability').bins.map((bin) => bin.rows))).toBe(4);
    expect(plotOf(section, 'histogram').groups.map(({ name, counts }) => [name, sum(counts)])).toEqual([
      ['truly no', 2],
      ['truly yes', 2],
    ]);
    expect(plotOf(section, 'roc').curves[0]!.area.value).toBe(1);
  });

  it('says what always answering the most frequent class would reach', () => {
    const labels = [0, 0, 0, 1];
    expect(classificationSection({ ...binary, labels }).text).toContain('Always answering “no” would be right in 75 %');
  });

  it('counts the answers that were given where a cost made them others than the likeliest', () => {
    const section = classificationSection({ ...binary, answers: [0, 1, 1, 1] });
    expect(plotOf(section, 'confusion').counts).toEqual([
      [1, 1],
      [0, 2],
    ]);
  });

  it('looks at the class that is looked for, where that is the first', () => {
    const section = classificationSection({ ...binary, positive: 0 });
    expect(plotOf(section, 'roc').curves[0]!.name).toBe('no');
    expect(plotOf(section, 'precision_recall').curves[0]!.base_rate).toBe(0.5);
  });

  it('draws one curve each of the most frequent classes, and puts the rarest together', () => {
    const classes = Array.from({ length: 30 }, (_, one) => `c${one}`);
    const labels = Array.from({ length: 900 }, (_, row) => Math.floor(Math.sqrt(row)));
    const probabilities = new Float64Array(900 * 30).fill(1 / 30);
    const section = classificationSection({ head: 'h', labels, probabilities, classes });
    expect(plotOf(section, 'roc').curves.map((curve) => curve.name)).toEqual([
      'c29',
      'c28',
      'c27',
      'c26',
      'c25',
      'c24',
    ]);
    const { classes: shown, counts } = plotOf(section, 'confusion');
    expect(shown).toHaveLength(20);
    expect(shown.at(-1)).toBe('11 others');
    expect(sum(counts.flat())).toBe(900);
  });

  it.each([
    ['no row', { labels: [], probabilities: new Float64Array(0) }],
    ['one row', { labels: [1], probabilities: Float64Array.of(0, 1) }],
    ['one class in the rows', { labels: [1, 1], probabilities: Float64Array.of(0, 1, 0.5, 0.5) }],
  ])('holds with %s, and has no curve then', (_, input) => {
    const section = classificationSection({ head: 'h', classes: ['a', 'b'], ...input });
    expect(plotOf(section, 'roc').curves[0]!.points).toEqual([]);
    expect(JSON.stringify(section)).not.toContain('NaN');
  });

  it('holds with a single class known', () => {
    const section = classificationSection({
      head: 'h',
      labels: [0, 0],
      probabilities: Float64Array.of(1, 1),
      classes: ['only'],
    });
    expect(plotOf(section, 'confusion').counts).toEqual([[2]]);
  });

  it('refuses probabilities of another number of rows', () => {
    expect(() => classificationSection({ ...binary, probabilities: new Float64Array(6) })).toThrow(
      '4 rows of 2 classes need 8 probabilities, got 6',
    );
  });
});

describe('the section of a regression', () => {
  it('counts every residual in one bin, and gives the bias with its interval', () => {
    const targets = Float64Array.from({ length: 1000 }, (_, row) => row);
    const predictions = targets.map((target, row) => target - (row % 3));
    const section = regressionSection({ head: 'h', predictions, targets, seed: 1, unit: 'days' });
    const { histogram, points, trend } = plotOf(section, 'residuals');
    expect(sum(histogram.map((bin) => bin.rows))).toBe(1000);
    expect(points).toHaveLength(500);
    expect(trend).toHaveLength(10);
    // Residuals 0, 1, 2 in turn: mean 0.999, deviation 0.817, so 1.96 x 0.817 / sqrt(1000) = 0.051.
    expect(section.text).toContain('0.999 [0.948, 1.05] days above the prediction');
  });

  it.each([0, 1, 2])('holds with %d rows', (rows) => {
    const section = regressionSection({
      head: 'h',
      predictions: new Float64Array(rows).fill(3),
      targets: new Float64Array(rows).fill(3),
      seed: 1,
    });
    const { histogram } = plotOf(section, 'residuals');
    expect(sum(histogram.map((bin) => bin.rows))).toBe(rows);
    expect(histogram.every((bin) => bin.upper > bin.lower)).toBe(true);
  });
});

describe('figures and verdict', () => {
  const metrics = {
    risk: { majority_rate: figure(0.7), log_loss: figure(0.4), accuracy: figure(0.83), new_metric: figure(1) },
    days: { baseline_mae: figure(19), mae: figure(12) },
  };

  it('stand with the base right below what it is the base of', () => {
    const [risk, days] = metricsSection({ metrics, trainingRows: 10, holdoutRows: 5 }).tables;
    expect(risk!.rows.map(([name]) => name)).toEqual(['accuracy', 'majority rate', 'log loss', 'new metric']);
    expect(days!.rows.map(([name]) => name)).toEqual(['mean absolute error', 'the median’s mean absolute error']);
    expect(formatCell(risk!.rows[0]![1])).toBe('0.83 [0.73, 0.93]');
  });

  it('are summed up with the base in the same sentence', () => {
    const verdict = { promotable: false, reason: 'No skill.', evidence: [] };
    const [risk, days, last] = summarise(metrics, verdict);
    expect(risk).toContain('right in 83 % of the held-out rows, where always the most frequent class is right in 70 %');
    expect(days).toContain('wrong by 12 [11.9, 12.1] on average, where always the median is wrong by 19');
    expect(last).toBe('It must not take traffic. No skill.');
  });

  it('say of each head whether its gain is more than chance', () => {
    const evidence = { loss: 'log_loss' as const, difference: 0.1, upper: 0.2, entities: 9 };
    const section = promotionSection({
      promotable: false,
      reason: 'Why.',
      evidence: [
        { head: 'a', lower: 0.01, ...evidence },
        { head: 'b', lower: -0.01, ...evidence },
      ],
    });
    expect(section.text).toBe('No. Why.');
    expect(section.tables[0]!.rows.map((row) => row.at(-1))).toEqual(['yes', 'no']);
  });
});

describe('other sections', () => {
  it('list columns and groups with what matters first', () => {
    const importance = [
      { name: 'b', increase: 0.1, lower: -0.1, upper: 0.3 },
      { name: 'a', increase: 0.4, lower: 0.3, upper: 0.5 },
    ];
    const columns = importanceSection({ head: 'h', measure: 'm', importance });
    expect(plotOf(columns, 'importance').bars.map((bar) => bar.name)).toEqual(['a', 'b']);
    expect(columns.text).toContain('1 of 2 columns matter');
    const slice = { column: 'c', rows: 40, loss: 2, lower: 0.5, upper: 1.5 };
    const groups = slicesSection({
      head: 'h',
      measure: 'm',
      overall: 1,
      slices: [
        { ...slice, slice: 'x', difference: 1.2, verdict: 'same' },
        { ...slice, slice: 'y', difference: 1, verdict: 'worse' },
      ],
    });
    expect(plotOf(groups, 'slices').slices.map(({ name, lower, upper }) => [name, lower, upper])).toEqual([
      ['c: y', 1.5, 2.5],
      ['c: x', 1.5, 2.5],
    ]);
  });

  it('put the best rival first, whichever way is better', () => {
    const rivals = [1, 3, 2].map((value) => ({ name: `r${value}`, value, lower: null, upper: null }));
    const first = (better: 'higher' | 'lower') =>
      plotOf(comparisonSection({ head: 'h', measure: 'm', better, rivals }), 'comparison').bars[0]!.name;
    expect([first('higher'), first('lower')]).toEqual(['r3', 'r1']);
  });

  it('tell training from unseen rows in a learning curve, and leave out what was not measured', () => {
    const section = learningCurveSection({
      head: 'h',
      measure: 'm',
      by: 'rows',
      points: [
        { at: 10, training: null, validation: 0.5 },
        { at: 20, training: 0.2, validation: 0.4 },
      ],
      isStillImproving: false,
    });
    const [unseen, training] = plotOf(section, 'learning_curve').curves;
    expect([unseen!.points.length, training!.points.length]).toEqual([2, 1]);
    expect(section.text).toContain('nothing that is more than chance');
  });

  it('show four times as much history as forecast, and what the intervals held', () => {
    const at = (day: number) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString();
    const values = (from: number, count: number) =>
      Array.from({ length: count }, (_, day) => ({ at: at(from + day), value: day }));
    const section = forecastSection({
      head: 'h',
      series: [{ series: 's', history: values(0, 300), forecast: values(300, 20), bands: [] }],
      coverage: [{ level: 0.8, inside: 0.75, points: 1440 }],
    });
    expect(plotOf(section, 'forecast_fan').history).toHaveLength(80);
    expect(section.text).toBe('75 % of 1,440 truths lay within the interval of 80 %.');
  });

  it('keep the spike of a long series, and what was expected at the times that are kept', () => {
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
    const values = Array.from({ length: 9000 }, (_, minute) => ({ at: at(minute), value: minute === 4321 ? 50 : 1 }));
    const expected = values.map((value) => ({ at: value.at, lower: 0, upper: 2 }));
    const section = anomalySection({
      head: 'h',
      text: '',
      series: [{ series: 's', values, expected, anomalies: [], incidents: [] }],
    });
    const plot = plotOf(section, 'series_anomalies');
    expect(plot.values).toHaveLength(400);
    expect(plot.values.some((value) => value.value === 50)).toBe(true);
    expect(plot.expected.map((one) => one.at)).toEqual(plot.values.map((one) => one.at));
  });
});

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [0.12345, '0.123'],
    [-1.5, '−1.5'],
    [1234567.8, '1,234,568'],
    [999.96, '1,000'],
    [0.00001234, '1.23e−5'],
    [null, '–'],
    [NaN, '–'],
  ])('show %d as %s', (value, text) => expect(formatNumber(value)).toBe(text));

  it('show shares in per cent and times without what is zero', () => {
    expect(formatShare(0.1234)).toBe('12.3 %');
    expect(formatTime('2026-03-01T00:00:00.000Z')).toBe('2026-03-01');
    expect(formatTime('2026-03-01T14:30:00Z')).toBe('2026-03-01 14:30');
    expect(formatTime('soon')).toBe('soon');
  });
});

describe('thinning', () => {
  it('keeps the ends, the order and the count', () => {
    const points = Array.from({ length: 1001 }, (_, x) => ({ x, y: Math.sin(x / 50) }));
    const kept = thinPoints(points, (p) => p.x, (p) => p.y, 50); // prettier-ignore
    expect(kept).toHaveLength(50);
    expect([kept[0]!.x, kept.at(-1)!.x]).toEqual([0, 1000]);
    expect(kept.every((point, i) => i === 0 || point.x > kept[i - 1]!.x)).toBe(true);
    expect(thinEvenly([1, 2, 3, 4, 5], 3)).toEqual([1, 3, 5]);
    expect(thinEvenly([1, 2], 3)).toEqual([1, 2]);
  });
});
