import { describe, expect, it } from 'vitest';
import { searchRequestSchema } from '../../../core/schemas/search.js';
import { tabularRecipe } from '../../../services/kinds/tabular/recipe.js';
import { judgeMetrics, violationOf } from '../../../services/search/judge-metrics.js';
import { planSearch } from '../../../services/search/plan-search.js';

const SUBJECT = {
  kind: 'classification' as const,
  algorithm: 'auto',
  hyperparameters: {},
  heads: [{ name: 'label', column: 'label', task: 'multiclass' as const }],
  features: ['a'],
  settings: { split: 'random' },
};
const plan = (search: object, subject: object = {}) =>
  planSearch(searchRequestSchema.parse(search), tabularRecipe, { ...SUBJECT, ...subject });

describe('what a search is asked to reach', () => {
  it('is the loss alone unless said, and several objectives with their directions and bounds', () => {
    expect(plan({}).plan).toMatchObject({ pruner: 'asha' });
    expect(plan({}).plan).not.toHaveProperty('objectives');
    const asked = {
      objectives: [{ metric: 'label.accuracy' }, { metric: 'model_bytes', direction: 'minimize' }],
      constraints: [{ metric: 'latency_us', max: 50 }],
    };
    expect(plan(asked)).toMatchObject({
      problems: [],
      plan: {
        pruner: 'none',
        objectives: [
          { metric: 'label.accuracy', direction: 'maximize' },
          { metric: 'model_bytes', direction: 'minimize' },
        ],
        constraints: [{ metric: 'latency_us', max: 50 }],
      },
    });
  });

  it.each<[string, object, string]>([
    ['a metric that no trial has', { objectives: [{ metric: 'beauty' }] }, 'search.objectives.0.metric'],
    ['a metric twice', { objectives: [{ metric: 'loss' }, { metric: 'loss' }] }, 'search.objectives.1.metric'],
    [
      'a direction upside down',
      { objectives: [{ metric: 'loss', direction: 'maximize' }] },
      'search.objectives.0.direction',
    ],
    ['size first', { objectives: [{ metric: 'model_bytes' }] }, 'search.objectives.0.metric'],
    ['a cost that nobody has stated', { objectives: [{ metric: 'cost' }] }, 'search.objectives.0.metric'],
    ['a bound on what there is not', { constraints: [{ metric: 'x', max: 1 }] }, 'search.constraints.0.metric'],
    [
      'a pruner with several',
      { pruner: 'asha', objectives: [{ metric: 'loss' }, { metric: 'model_bytes' }] },
      'search.pruner',
    ],
    [
      'too many trials of several',
      { trials: 1001, objectives: [{ metric: 'loss' }, { metric: 'model_bytes' }] },
      'search.trials',
    ],
    [
      'preprocessing that there is not',
      {
        space: {
          algorithm: { type: 'categorical', choices: ['linear'] },
          'preprocessing.magic': { type: 'categorical', choices: [1] },
        },
      },
      'search.space.preprocessing.magic',
    ],
    [
      'preprocessing that leaves rows out',
      {
        space: {
          algorithm: { type: 'categorical', choices: ['linear'] },
          'preprocessing.handle_missing': { type: 'categorical', choices: ['keep', 'drop'] },
        },
      },
      'search.space.preprocessing.handle_missing.choices',
    ],
  ])('is refused with its path: %s', (_, search, path) => {
    expect(plan(search).problems.map((problem) => problem.path)).toContain(path);
  });

  it('is refused by its schema where a bound says nothing or contradicts itself', () => {
    for (const bound of [{}, { min: 2, max: 1 }])
      expect(searchRequestSchema.safeParse({ constraints: [{ metric: 'loss', ...bound }] }).success).toBe(false);
  });

  it('has texts, costs and weights in its default space', () => {
    const settings = { split: 'random', costs: { false_positive: 1, false_negative: 5 } };
    const { plan: found } = plan({ objectives: [{ metric: 'cost' }] }, { hasTexts: true, settings });
    expect(Object.keys(found!.space)).toEqual(expect.arrayContaining(['preprocessing.encode', 'class_weight']));
  });
});

describe('the figures of a trial', () => {
  it('become losses of which lower is better, and a violation that is the share by which bounds are missed', () => {
    const search = {
      objectives: [
        { metric: 'accuracy', direction: 'maximize' as const },
        { metric: 'bytes', direction: 'minimize' as const },
      ],
      constraints: [
        { metric: 'bytes', max: 100 },
        { metric: 'accuracy', min: 0.8 },
      ],
    };
    expect(judgeMetrics(search, { metrics: { accuracy: 0.9, bytes: 150 } })).toEqual({
      losses: [-0.9, 150],
      violation: 0.5,
    });
    expect(judgeMetrics(search, { metrics: { accuracy: 0.6, bytes: 10 } }).violation).toBeCloseTo(0.25);
    expect(judgeMetrics(search, { metrics: { accuracy: 1 } }).losses[1]).toBeNaN();
    expect(violationOf(search.constraints, { bytes: 1 }, { isPartial: true })).toBe(0);
  });
});
