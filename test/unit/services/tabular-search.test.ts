import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { parseSearchSpace } from '../../../ml/search/search-space.js';
import { createRandomSampler } from '../../../ml/search/random-sampler.js';
import {
  applyTabularConfiguration,
  checkTabularSpace,
  defaultTabularSpace,
} from '../../../services/kinds/tabular/search-space.js';
import { RECIPES } from '../../../services/kinds/recipes.js';
import { automaticSearch } from '../../../services/search/automatic-search.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';

const subject = (algorithm: string) => ({
  kind: 'classification' as const,
  algorithm,
  hyperparameters: { seed: 5 },
  heads: [],
  features: ['a', 'b'],
  settings: { split: 'random' },
});
const planOf = (algorithm: string) => ({ ...subject(algorithm), jobId: 'train-1' }) as unknown as TrainingPlan;

describe('the search of a table', () => {
  it.each(['auto', 'random_forest', 'gradient_boosting', 'linear', 'neural_network'])(
    'has ranges for %s from which every draw can be trained',
    (algorithm) => {
      const space = parseSearchSpace(defaultTabularSpace({ algorithm }));
      expect(checkTabularSpace(space, subject(algorithm))).toEqual([]);
      const seed = createPrng(1).nextInt(1000);
      for (let index = 0; index < 50; index++) {
        const configuration = createRandomSampler(space).suggest({ history: [], index, seed });
        const plan = applyTabularConfiguration(planOf(algorithm), configuration);
        expect(plan.algorithm).not.toBe('auto');
        expect(plan.hyperparameters['seed']).toBe(5);
        expect(Object.keys(plan.hyperparameters).every((name) => !name.includes('.'))).toBe(true);
      }
    },
  );

  it('refuses a space that names what no tried algorithm has', () => {
    const check = (space: object, algorithm: string) =>
      checkTabularSpace(parseSearchSpace(space), subject(algorithm)).map(({ path }) => path);
    expect(check({ depth: { type: 'int', low: 1, high: 2 } }, 'random_forest')).toEqual(['depth']);
    expect(check({ learning_rate: { type: 'float', low: 0.1, high: 0.2 } }, 'random_forest')).toEqual([
      'learning_rate',
    ]);
    expect(check({ max_depth: { type: 'int', low: 1, high: 2 } }, 'auto')).toEqual(['algorithm']);
    expect(check({ algorithm: { type: 'categorical', choices: ['oracle'] } }, 'auto')).toEqual(['algorithm.choices']);
    expect(check({ 'linear.max_depth': { type: 'int', low: 1, high: 2 } }, 'linear')).toEqual(['linear.max_depth']);
  });

  it('names the hyperparameter that cannot be used', () => {
    expect(() => applyTabularConfiguration(planOf('gradient_boosting'), { learning_rate: 7 })).toThrow(
      /^learning_rate: /,
    );
    expect(() => applyTabularConfiguration(planOf('neural_network'), { hidden_units: 'wide' })).toThrow(
      /^hidden_units/,
    );
  });
});

describe('a search that nobody asked for', () => {
  const input = {
    definition: { hyperparameters: {} },
    request: {},
    autoMl: true,
    recipe: RECIPES.classification,
    settings: undefined,
  };
  const isMade = (more: object, rows = 1000) => automaticSearch({ ...input, ...more }, rows) !== undefined;

  it('is made where nothing is said and rows are enough', () => {
    expect(automaticSearch(input, 1000)).toMatchObject({ trials: 20, warm_start: false });
    expect(isMade({}, 999)).toBe(false);
  });

  it.each([
    ['an algorithm', { definition: { algorithm: 'linear', hyperparameters: {} } }],
    ['hyperparameters of the entry', { definition: { hyperparameters: { seed: 1 } } }],
    ['a search of the entry', { definition: { hyperparameters: {}, search: false } }],
    ['hyperparameters of the request', { request: { hyperparameters: { max_depth: 3 } } }],
    ['a search of the request', { request: { search: false } }],
    ['AUTO_ML_ENABLED=false', { autoMl: false }],
    ['a kind that is not searched', { recipe: {} }],
    ['a detector without known anomalies', { recipe: RECIPES.anomaly_detection, settings: {} }],
  ])('is not made beside %s', (_what, more) => {
    expect(isMade(more)).toBe(false);
  });

  it('is made for each kind, in a budget of its own', () => {
    const settings = { label: 'fault' };
    for (const [kind, recipe] of Object.entries(RECIPES)) {
      const made = automaticSearch({ ...input, recipe, settings }, 1000);
      expect(made?.trials, kind).toBe(recipe.search?.unasked({ settings })?.trials);
      expect(made?.trials, kind).toBeGreaterThan(1);
    }
  });
});
