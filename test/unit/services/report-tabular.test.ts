import { takeRows } from '../../../ml/matrix.js';
import { describe, expect, it } from 'vitest';
import { judgePromotion } from '../../../core/policy/promotion.js';
import { evaluateClassification, evaluateRegression } from '../../../ml/evaluate/metrics.js';
import { encodeTable, fitTableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { createPrng } from '../../../ml/random/prng.js';
import { answerRows, fitHead } from '../../../services/kinds/tabular/fit-head.js';
import { headInput } from '../../../services/kinds/tabular/fit-model.js';
import type { TabularAlgorithm } from '../../../services/kinds/tabular/head-model.js';
import { buildTabularReport, type TabularFindings } from '../../../services/kinds/tabular/report.js';
import { rowsOf, type TrainingTable } from '../../../services/kinds/tabular/training-table.js';
import type { ReportDocument, ReportPlot } from '../../../services/reports/report-document.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';

const ROWS = 400;

/** What an evaluation of one head has found, in memory. */
function findingsOf(task: 'multiclass' | 'regression', algorithm: TabularAlgorithm): TabularFindings {
  const prng = createPrng(3, 1);
  const use = Array.from({ length: ROWS }, () => prng.next());
  const noise = Array.from({ length: ROWS }, () => prng.next());
  const shop = Array.from({ length: ROWS }, () => ['north', 'south', 'east'][prng.nextInt(3)]!);
  const y = Float64Array.from(use, (value, row) =>
    task === 'regression'
      ? 10 * value + (shop[row] === 'south' ? 8 : 0) + prng.next()
      : Number(value + 0.3 * prng.next() > 0.6),
  );
  const head = { name: task === 'regression' ? 'value' : 'label', column: 'bought', task } as const;
  const plan = {
    model: 'shop',
    kind: task === 'regression' ? 'regression' : 'classification',
    algorithm,
    hyperparameters: { seed: 1, n_estimators: 60 },
    seed: 1,
    warnings: [{ path: 'filters', message: 'no effect' }],
    heads: [head],
    settings: { split: 'random' },
    datasetId: 'ds_1',
    datasetDigest: '0123456789abcdef',
    codeVersion: '0.1.0',
  } as unknown as TrainingPlan;
  const target = { head, y, classes: task === 'regression' ? [] : ['no', 'yes'] };
  const table: TrainingTable = {
    rows: ROWS,
    features: [
      { name: 'use', values: use },
      { name: 'noise', values: noise },
      ...(task === 'regression' ? [{ name: 'shop', values: shop }] : []),
    ],
    groups: Int32Array.from(use, (_, row) => row),
    units: Float64Array.from(use, (_, row) => row),
    targets: [target],
    isHeldOut: Uint8Array.from(use, (_, row) => Number(row % 4 === 0)),
    isInTime: false,
  };
  const training = rowsOf(target, (row) => table.isHeldOut[row] === 0);
  const encoder = fitTableEncoder(table.features, training);
  const x = encodeTable(encoder, table.features);
  const fitted = fitHead({
    ...headInput(plan, table, encoder, x, target, (row) => table.isHeldOut[row] === 0),
    onProgress: () => {},
  });
  const rows = rowsOf(target, (row) => table.isHeldOut[row] === 1);
  const answers = answerRows(fitted, takeRows(x, rows));
  const truths = Float64Array.from(rows, (row) => y[row]!);
  const metrics =
    task === 'regression'
      ? evaluateRegression({ predictions: answers, targets: truths, seed: 1 })
      : evaluateClassification({ probabilities: answers, labels: truths, classes: 2, seed: 1 });
  const { name } = head;
  const { transform, calibration } = fitted;
  return {
    plan,
    table,
    encoder,
    x,
    fit: {
      algorithm,
      signature: [],
      details: { candidates: { [name]: fitted.candidates } },
      warnings: [{ path: 'use', message: 'predicts alone' }],
    } as unknown as TabularFindings['fit'],
    evaluation: {
      metrics: { [name]: metrics },
      verdict: judgePromotion([
        { head: name, loss: 'log_loss', difference: 0.2, lower: 0.1, upper: 0.3, entities: rows.length },
      ]),
      trainingRows: training.length,
      holdoutRows: rows.length,
    },
    heads: [
      {
        stored: { name, task, classes: target.classes, algorithm, file: 'x', transform, calibration },
        model: fitted.model,
        bytes: fitted.model.encode(),
        target,
        rows,
        answers,
      },
    ],
  };
}

const plotOf = <Kind extends ReportPlot['kind']>({ sections }: ReportDocument, kind: Kind) =>
  sections
    .flatMap((section) => section.plots)
    .find((plot): plot is Extract<ReportPlot, { kind: Kind }> => plot.kind === kind)!;

describe('the report of a table’s model', () => {
  const findings = findingsOf('multiclass', 'random_forest');
  const report = buildTabularReport(findings);

  it('is the same to the bit when it is made again, as every step of a run can be repeated', () => {
    expect(JSON.stringify(buildTabularReport(findings))).toBe(JSON.stringify(report));
  });

  it('is plain JSON without a number that is none', () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('calls the head by its column, and tells every warning of plan and fit', () => {
    expect(report.summary[0]).toMatch(/^bought: right in /);
    expect(report.sections.map((section) => section.title).join()).not.toContain('label');
    expect(report.warnings).toEqual(['filters: no effect', 'use: predicts alone']);
  });

  it('finds the column that the answer follows from, and none in noise', () => {
    const bars = plotOf(report, 'importance').bars;
    expect(bars[0]!.name).toBe('use');
    expect(bars[0]!.lower).toBeGreaterThan(0);
    expect(bars[1]!.lower).toBeLessThanOrEqual(0);
  });

  it('has a learning curve by rows, whose last point is the model itself on the held-out rows', () => {
    const { by, curves } = plotOf(report, 'learning_curve');
    expect([by, curves[0]!.points.map((point) => point.at)]).toEqual(['rows', [75, 150, 300]]);
    const logLoss = findings.evaluation.metrics['label']!['log_loss']!.value!;
    expect(curves[0]!.points.at(-1)!.value).toBeCloseTo(logLoss, 12);
  });

  it('goes on without a part that cannot be measured, and says which and why', () => {
    const [head] = findings.heads;
    const broken = buildTabularReport({
      ...findings,
      heads: [
        {
          ...head!,
          model: {
            ...head!.model,
            predict: () => {
              throw new RangeError('no answers today');
            },
          },
        },
      ],
    });
    expect(broken.warnings).toContain('A part of the report on label is missing: no answers today');
    expect(plotOf(broken, 'roc').curves[0]!.area.value).not.toBeNull();
    expect(plotOf(broken, 'importance')).toBeUndefined();
  });

  it('has of boosting the loss after growing counts of rounds, up to all of them', () => {
    const report = buildTabularReport(findingsOf('regression', 'gradient_boosting'));
    expect(report.warnings.slice(2)).toEqual([]);
    const { by, curves } = plotOf(report, 'learning_curve');
    const [unseen, training] = curves;
    expect(by).toBe('rounds');
    expect(training!.points.at(-1)!.value).toBeLessThan(training!.points[0]!.value / 2);
    expect(unseen!.points.map((point) => point.at)).toEqual(training!.points.map((point) => point.at));
  });

  it('has of a regression no curve of classes', () => {
    const kinds = buildTabularReport(findingsOf('regression', 'linear')).sections.flatMap(({ plots }) =>
      plots.map((plot) => plot.kind),
    );
    expect(kinds).toEqual(['residuals', 'importance', 'slices', 'learning_curve']);
  });
});

describe('the report of a version that networks were trained for', () => {
  const findings = findingsOf('multiclass', 'linear');
  const epochs = [
    { epoch: 1, trainingLoss: 0.9, validationLoss: 0.8 },
    { epoch: 2, trainingLoss: 0.7, validationLoss: 0.75 },
  ];
  const trained = { device: 'WebAssembly on a processor', epochs, best_epoch: 2 };
  const reportWith = (details: Record<string, unknown>, index?: number) =>
    buildTabularReport({
      ...findings,
      fit: { ...findings.fit, details },
      heads: findings.heads.map((head) => ({ ...head, stored: { ...head.stored, index } })),
    });

  it('has the losses of a network by pass, which one was kept, and the device', () => {
    const report = reportWith({ network: trained }, 0);
    const { by, chosen, curves } = plotOf(report, 'learning_curve');
    expect([by, chosen]).toEqual(['rounds', 2]);
    expect(curves.map(({ points }) => points.map(({ at, value }) => [at, value]))).toEqual([
      [
        [1, 0.8],
        [2, 0.75],
      ],
      [
        [1, 0.9],
        [2, 0.7],
      ],
    ]);
    expect(JSON.stringify(report)).toContain('WebAssembly on a processor');
  });

  it('says by paired figures whether the sequence answers beside the features', () => {
    const trial = {
      ...trained,
      rows: 300,
      entities: 60,
      features: { log_loss: 0.43, accuracy: 0.917 },
      sequence: { log_loss: 0.49, accuracy: 0.896 },
      both: { log_loss: 0.42, accuracy: 0.92 },
      gain: { value: 0.01, standard_error: 0.002 },
      share: 0.3,
      network_share: 0.5,
      learned_by: 'network',
    };
    const textOf = (isChosen: boolean) =>
      reportWith({ sequences: { label: { ...trial, isChosen } } })
        .sections.map(({ text }) => text)
        .join('\n');
    expect(textOf(true)).toMatch(
      /right in 91.7 %, the sequence in 89.6 %.*by 0.01 with a standard error of 0.002: that is more/s,
    );
    expect(textOf(false)).toContain('no more than chance, so the features answer alone');
  });
});
