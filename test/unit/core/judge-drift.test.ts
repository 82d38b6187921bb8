import { describe, expect, it } from 'vitest';
import { judgeDrift, type WindowSignals } from '../../../core/decisions/judge-drift.js';
import type { ColumnDrift, ComparedColumn } from '../../../ml/drift/column-drift.js';

const column = (name: string, p: number, size: number): ComparedColumn => ({
  state: 'compared',
  column: name,
  kind: 'number',
  rows: 500,
  reference_rows: 5000,
  tests: [{ test: 'kolmogorov_smirnov', statistic: 0.1, p_value: p }],
  p_value: p,
  effects: [{ measure: 'wasserstein_per_deviation', size, raw: size, direction: 'up' }],
  missing: { reference: 0, current: 0 },
});
const quiet = Array.from({ length: 9 }, (_, at) => column(`q${at}`, 0.5, 0.01));
const knowing = (importance: Record<string, number> = {}, usual: Record<string, number> = {}) => ({
  importance: new Map(Object.entries(importance)),
  usual: new Map(Object.entries(usual)),
});
const judge = (columns: ColumnDrift[], earlier: WindowSignals[] = [], known = knowing()) =>
  judgeDrift([...columns, ...quiet], earlier, known);

describe('the verdict on a window', () => {
  it('reports a column at first, and alarms when it was reported in two of the last three windows', () => {
    const first = judge([column('x', 1e-6, 0.4)]);
    expect(first.columns[0]).toMatchObject({ state: 'reported' });
    expect(first.alarm).toBe(false);
    const second = judge([column('x', 1e-6, 0.4)], [first.signals]);
    expect(second.columns[0]).toMatchObject({ state: 'alarm' });
    const gap = judge([column('x', 1e-6, 0.4)], [first.signals, { reported: [] }]);
    expect(gap.alarm).toBe(true);
    const late = judge([column('x', 1e-6, 0.4)], [first.signals, { reported: [] }, { reported: [] }]);
    expect(late.alarm).toBe(false);
  });

  it('holds single chances against the number of columns', () => {
    expect(judge([column('x', 0.01, 0.4)]).columns[0]!.state).toBe('steady');
    expect(judge([column('x', 0.004, 0.4)]).columns[0]!.state).toBe('reported');
  });

  it('does not report what is sure and small, unless the model leans on the column', () => {
    const small = column('x', 1e-9, 0.03);
    expect(judge([small]).columns[0]!.state).toBe('steady');
    expect(judge([small], [], knowing({ x: 0.5 })).columns[0]!.state).toBe('reported');
  });

  it('does not report what a column does by itself', () => {
    const found = column('x', 1e-9, 0.4);
    expect(judge([found], [], knowing({}, { x: 0.3 })).columns[0]).toMatchObject({ state: 'steady' });
    expect(judge([found], [], knowing({}, { x: 0.1 })).columns[0]).toMatchObject({ state: 'reported' });
  });

  it('weighs a shift by what the column is worth to the model', () => {
    const again = [{ reported: ['x'] }];
    const of = (importance: Record<string, number>) =>
      judge([column('x', 1e-9, 0.2)], again, knowing(importance)).severity;
    expect(of({})).toBe('low');
    expect(of({ x: 0.1 })).toBe('medium');
    expect(of({ x: 0.9 })).toBe('high');
  });

  it('has a verdict on columns of which nothing can be said, and on no columns at all', () => {
    const empty: ColumnDrift = {
      state: 'not_testable',
      column: 'x',
      reason: 'window_empty',
      rows: 0,
      reference_rows: 5,
    };
    expect(judge([empty]).columns[0]).toMatchObject({ state: 'not_testable', severity: 'none' });
    expect(judgeDrift([], [], knowing())).toMatchObject({ alarm: false, severity: 'none', columns: [] });
  });
});
