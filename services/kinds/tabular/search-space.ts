import { ALGORITHMS, hyperparametersSchema, type Hyperparameters } from '../../../core/schemas/model-config.js';
import type { FieldProblem } from '../../../core/errors.js';
import type { Configuration, SearchSpace } from '../../../ml/search/search-space.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { SearchSubject } from '../recipe.js';
import { TABULAR_ALGORITHMS, type TabularAlgorithm } from './head-model.js';
import { usedBy } from './hyperparameters.js';

type Searched = TabularAlgorithm | 'neural_network';
const SEARCHED: readonly Searched[] = [...TABULAR_ALGORITHMS, 'neural_network'];

/** The parameter that says which algorithm a trial fits. */
const ALGORITHM = 'algorithm';

/** Ranges that hold what does well on most tables; widths of a network are written as `64x32`. */
const SPACES: Record<Searched, Record<string, object>> = {
  random_forest: {
    n_estimators: { type: 'int', low: 50, high: 400, log: true },
    max_depth: { type: 'int', low: 3, high: 30 },
    min_samples_leaf: { type: 'int', low: 1, high: 50, log: true },
    max_features: { type: 'float', low: 0.1, high: 1 },
  },
  gradient_boosting: {
    learning_rate: { type: 'float', low: 0.01, high: 0.3, log: true },
    max_leaf_nodes: { type: 'int', low: 4, high: 64, log: true },
    min_samples_leaf: { type: 'int', low: 1, high: 100, log: true },
    l2_regularization: { type: 'float', low: 1e-3, high: 100, log: true },
    subsample: { type: 'float', low: 0.5, high: 1 },
    max_features: { type: 'float', low: 0.3, high: 1 },
  },
  linear: { l2_regularization: { type: 'float', low: 1e-6, high: 100, log: true } },
  neural_network: {
    hidden_units: { type: 'categorical', choices: ['32', '64', '64x32', '128x64', '128x64x32'] },
    dropout: { type: 'float', low: 0, high: 0.5 },
    learning_rate: { type: 'float', low: 1e-4, high: 1e-2, log: true },
    l2_regularization: { type: 'float', low: 1e-6, high: 1e-2, log: true },
  },
};

/** The ranges of one algorithm; of several a choice with the ranges of each below its name, such as `linear.l2_regularization`. */
export function defaultTabularSpace({ algorithm }: Pick<SearchSubject, 'algorithm'>): Record<string, unknown> {
  if (algorithm !== 'auto') return SPACES[algorithm as Searched];
  const below = TABULAR_ALGORITHMS.flatMap((one) =>
    Object.entries(SPACES[one]).map(([name, range]) => [
      `${one}.${name}`,
      { ...range, when: { parameter: ALGORITHM, in: [one] } },
    ]),
  );
  return {
    [ALGORITHM]: { type: 'categorical', choices: TABULAR_ALGORITHMS },
    ...(Object.fromEntries(below) as Record<string, unknown>),
  };
}

/** What of a space no algorithm that may be tried knows. */
export function checkTabularSpace(space: SearchSpace, { algorithm }: SearchSubject): FieldProblem[] {
  const choice = space.parameters.find(({ name }) => name === ALGORITHM);
  if (choice && choice.type !== 'categorical') return [{ path: ALGORITHM, message: 'must be categorical' }];
  if (!choice && algorithm === 'auto') {
    const message = `must be a parameter, since the model leaves the choice open: {type: categorical, choices: [${TABULAR_ALGORITHMS.join(', ')}]}`;
    return [{ path: ALGORITHM, message }];
  }
  const tried = (choice?.choices ?? [algorithm]) as Searched[];
  const wrong = tried.find((one) => !SEARCHED.includes(one));
  if (wrong !== undefined)
    return [
      { path: `${ALGORITHM}.choices`, message: `has ${wrong}, but algorithms are ${SEARCHED.join(', ')}` },
    ];
  return space.parameters
    .filter(({ name }) => name !== ALGORITHM && !tried.some((one) => isKnown(name, one)))
    .map(({ name }) => ({
      path: name,
      message: `is no hyperparameter of ${tried.join(', ')}; those are ${[...new Set(tried.flatMap(usedBy))].join(', ')}`,
    }));
}

const isKnown = (name: string, algorithm: Searched) =>
  (usedBy(algorithm) as readonly string[]).includes(withoutPrefix(name, algorithm));

const withoutPrefix = (name: string, algorithm: string) =>
  name.startsWith(`${algorithm}.`) ? name.slice(algorithm.length + 1) : name;

/**
 * The plan with the algorithm and the hyperparameters of a configuration.
 * @throws RangeError that names the hyperparameter which cannot be used, and why
 */
export function applyTabularConfiguration(plan: TrainingPlan, configuration: Configuration): TrainingPlan {
  const algorithm = String(configuration[ALGORITHM] ?? plan.algorithm);
  if (!(ALGORITHMS as readonly string[]).includes(algorithm)) throw new RangeError(`algorithm is ${algorithm}`);
  const found = Object.entries(configuration).filter(([name]) => name !== ALGORITHM);
  const given = Object.fromEntries(
    found.map(([name, value]) => {
      const known = withoutPrefix(name, algorithm);
      return [known, known === 'hidden_units' ? String(value).split('x').map(Number) : value];
    }),
  );
  const parsed = hyperparametersSchema.safeParse({ ...plan.hyperparameters, ...given });
  const issue = parsed.error?.issues[0];
  if (issue) throw new RangeError(`${issue.path.join('.')}: ${issue.message}`);
  return { ...plan, algorithm, hyperparameters: parsed.data as Hyperparameters };
}
