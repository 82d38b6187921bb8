import { describe, expect, it } from 'vitest';
import { orderMetrics } from '../../../console/parts/order-metrics.js';

describe('measures of a version', () => {
  it('come with the most telling first, what is not known in the middle, and the majority rate last', () => {
    const names = ['ece', 'own', 'brier', 'roc_auc', 'accuracy', 'majority_rate'];
    const metrics = Object.fromEntries(names.map((name, at) => [name, at]));
    expect(orderMetrics(metrics).map(([name]) => name)).toEqual([
      'roc_auc',
      'accuracy',
      'brier',
      'ece',
      'own',
      'majority_rate',
    ]);
  });

  it('of a run are ordered by metric, then by head', () => {
    expect(orderMetrics({ 'b.ece': 1, 'b.roc_auc': 2, 'a.roc_auc': 3 }).map(([name]) => name)).toEqual([
      'a.roc_auc',
      'b.roc_auc',
      'b.ece',
    ]);
  });
});
