import { openRecommenderTrials } from '../../../ml/recommend/recommender-trials.js';
import type { Learner } from '../../../ml/recommend/recommender-settings.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import { ServiceError } from '../../../core/errors.js';
import { checkWithin } from '../../search/check-within.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { OpenTrials, SearchRecipe, SearchSubject } from '../recipe.js';
import { readInteractionTable } from './interaction-table.js';
import { settingsOf, type RecommendationPlan } from './plan.js';

const METHODS = ['item_neighbours', 'ease', 'implicit_als'] as const;

/** What can be searched at all; a search that names no space draws from the methods of the entry. */
function spaceOf(methods: readonly string[]): Record<string, unknown> {
  const below = (method: string, ranges: Record<string, object>) =>
    methods.includes(method)
      ? Object.entries(ranges).map(([name, range]) => [
          `${method}.${name}`,
          { ...range, when: { parameter: 'method', in: [method] } },
        ])
      : [];
  return {
    method: { type: 'categorical', choices: methods },
    ...Object.fromEntries([
      ...below('item_neighbours', {
        neighbours: { type: 'int', low: 20, high: 500, log: true },
        shrinkage: { type: 'float', low: 1, high: 500, log: true },
      }),
      ...below('ease', {
        lambda: { type: 'float', low: 1, high: 10_000, log: true },
        user_exponent: { type: 'float', low: 0, high: 1 },
      }),
      ...below('implicit_als', {
        factors: { type: 'int', low: 8, high: 128, log: true },
        regularization: { type: 'float', low: 1, high: 1000, log: true },
        alpha: { type: 'float', low: 1, high: 100, log: true },
      }),
    ]),
  };
}

/** How the learner of a recommendation is searched: by what users took next, before the interactions that a version is judged by. */
export const recommendationSearch: SearchRecipe = {
  unasked: () => ({ trials: 12, timeout_seconds: 120 }),
  defaultSpace: ({ settings }: SearchSubject) =>
    spaceOf((settings as RecommendationPlan).methods ?? ['item_neighbours', 'ease']),
  checkSpace: (space) =>
    space.parameters.some(({ name }) => name === 'method')
      ? checkWithin(space, spaceOf(METHODS))
      : [{ path: 'method', message: `must be a parameter: {type: categorical, choices: [${METHODS.join(', ')}]}` }],
  metrics: () => ({
    loss: { better: 'lower', isQuality: true },
    ndcg_at_10: { better: 'higher', isQuality: true },
    recall_at_10: { better: 'higher', isQuality: true },
  }),
  resource: { name: 'fits', least: 1, most: 1 },
  apply(plan, configuration) {
    learnerOf(configuration);
    return { ...plan, hyperparameters: { ...configuration, seed: plan.seed } };
  },
  openTrials,
};

/** The learners of the finalists of a search, which the fit compares with those that it always tries. */
export const searchedLearners = ({ sweep }: TrainingPlan): Learner[] =>
  (sweep?.finalists ?? []).map(({ configuration }) => learnerOf(configuration));

/** @throws RangeError for a method that there is not */
function learnerOf(configuration: Configuration): Learner {
  const method = String(configuration['method']);
  const number = (name: string, otherwise: number) => Number(configuration[`${method}.${name}`] ?? otherwise);
  switch (method) {
    case 'item_neighbours':
      return { method: 'item-neighbours', neighbours: number('neighbours', 200), shrinkage: number('shrinkage', 50) };
    case 'ease':
      return { method: 'ease', lambda: number('lambda', 100), userExponent: number('user_exponent', 0) };
    case 'implicit_als':
      return {
        method: 'implicit-als',
        factors: number('factors', 64),
        regularization: number('regularization', 50),
        alpha: number('alpha', 10),
      };
    default:
      throw new RangeError(`method is ${method} but must be one of ${METHODS.join(', ')}`);
  }
}

/** A trial fits one learner to what users took before, and is judged by what they took next, in its best mixture with popularity. */
async function openTrials(plan: TrainingPlan, staging: string): Promise<OpenTrials> {
  const { interactions } = await readInteractionTable(plan, staging);
  const trials = openRecommenderTrials({
    interactions,
    mostEaseItems: settingsOf(plan).most_ease_items,
    seed: plan.seed,
  });
  if (!trials)
    throw new ServiceError(
      'training_data_insufficient',
      `${plan.model} cannot be searched on ${plan.datasetId}: too few users have enough interactions to tell one learner from another. Train it without a search.`,
    );
  return {
    async run(configuration, { report }) {
      const { worth, ndcgAt10, recallAt10 } = trials.judge(learnerOf(configuration));
      // As a share of what the most popular items leave to be found: 1 is no better than they are.
      const loss = (1 - worth) / Math.max(1e-9, 1 - trials.popularWorth);
      if (report(1, loss) === 'prune') return undefined;
      return { metrics: { loss, ndcg_at_10: ndcgAt10.value, recall_at_10: recallAt10.value } };
    },
  };
}
