import { describe, expect, it } from 'vitest';
import { parameterImportance } from '../../../ml/search/parameter-importance.js';
import { renderReport } from '../../../services/reports/render-report.js';
import { compareRuns } from '../../../services/tracking/compare-runs.js';
import { buildRunsReport, chooseMeasure, rankRuns } from '../../../services/tracking/runs-report.js';
import { sampleRuns } from '../../support/run-sample.js';

const runs = sampleRuns(80);

describe('the importance of parameters', () => {
  const measured = runs.filter(({ metrics }) => metrics['roc_auc'] !== undefined);
  const input = {
    parameters: ['max_depth', 'learning_rate', 'colour', 'algorithm'].map((name) => ({
      name,
      values: measured.map(({ params }) => params[name]),
    })),
    values: Float64Array.from(measured, ({ metrics }) => metrics['roc_auc']!),
    seed: 1,
  };

  it('is large for what decides, around 0 for what has no say, and absent for what never differs', () => {
    const shares = Object.fromEntries(parameterImportance(input).map(({ name, share }) => [name, share]));
    expect(shares['max_depth']).toBeGreaterThan(0.8);
    expect(Math.abs(shares['colour']!)).toBeLessThan(0.05);
    expect(shares).not.toHaveProperty('algorithm');
  });

  it('is not told from too few trials, nor of values that are all the same', () => {
    const few = { ...input, parameters: input.parameters.map((one) => ({ ...one, values: one.values.slice(0, 8) })) };
    expect(parameterImportance({ ...few, values: input.values.slice(0, 8) })).toEqual([]);
    expect(parameterImportance({ ...input, values: input.values.map(() => 0.5) })).toEqual([]);
  });

  it('takes a parameter that only some trials have, and one that counts the trials', () => {
    const values = measured.map((_, at) => (at % 2 === 0 ? null : at));
    const found = parameterImportance({ ...input, parameters: [...input.parameters, { name: 'place', values }] });
    expect(found.map(({ name }) => name)).toContain('place');
  });
});

describe('the page of runs', () => {
  it('looks at the metric that most runs have, in its good direction', () => {
    expect(chooseMeasure(runs, {})).toEqual({ metric: 'log_loss', better: 'lower' });
    expect(chooseMeasure(runs, { metric: 'label.roc_auc' })).toEqual({ metric: 'label.roc_auc', better: 'higher' });
    expect(chooseMeasure(runs, { metric: 'x', goal: 'maximize' })).toEqual({ metric: 'x', better: 'higher' });
    expect(chooseMeasure([], {})).toEqual({ metric: 'loss', better: 'lower' });
  });

  it('tells the best, draws its plots and escapes every name', () => {
    const measure = chooseMeasure(runs, { metric: 'roc_auc' });
    const [best] = rankRuns(runs, measure);
    const points = [1, 2, 3].map((step) => ({ step, value: 1 / step, at: '2026-01-01T00:00:00.000Z' }));
    const curves = [{ run_id: best!.run_id, name: '<b>.validation_loss', points }];
    const named = runs.map((run) => ({ ...run, params: { ...run.params, '<script>': run.params['max_depth'] } }));
    const html = renderReport(buildRunsReport(named, curves, measure));
    expect(html).toContain(`of ${best!.run_id}`);
    for (const kind of ['optimisation_history', 'importance', 'parallel_coordinates', 'learning_curve'])
      expect(html).toContain(`data-plot="${kind}"`);
    expect(html).not.toMatch(/<script|<b>|NaN|undefined/);
  });

  it('is a page, too, where there are no runs', () => {
    expect(renderReport(buildRunsReport([], [], chooseMeasure([], {})))).toContain('No run has the metric loss.');
  });
});

describe('runs side by side', () => {
  it('begin with what differs, and are null where one has none', () => {
    const [a, b] = runs;
    const compared = compareRuns([a!, { ...b!, params: { ...b!.params, extra: 1 } }]);
    expect(compared.params.at(-1)).toMatchObject({ name: 'hidden_units', differs: false });
    expect(compared.params.find(({ name }) => name === 'extra')).toEqual({
      name: 'extra',
      values: [null, 1],
      differs: true,
    });
  });
});
