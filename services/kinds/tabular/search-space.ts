import { ALGORITHMS, hyperparametersSchema, type Hyperparameters } from '../../../core/schemas/model-config.js';
import type { FieldProblem } from '../../../core/errors.js';
import { preprocessingConfigSchema } from '../../../core/schemas/preprocessing.js';
import type { Configuration, Parameter, ParameterValue, SearchSpace } from '../../../ml/search/search-space.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { SearchSubject } from '../recipe.js';
import { TABULAR_ALGORITHMS, type TabularAlgorithm } from './head-model.js';
import { usedBy } from './hyperparameters.js';
import { settingsOf, type TabularSettings } from './plan.js';

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

/** A choice of `preprocessing` that a trial makes for all columns, such as `preprocessing.encode`. */
const PREPARED = 'preprocessing.';
const PREPARATIONS = ['encode', 'feature_scaling', 'handle_missing', 'outliers', 'dates', 'text', 'normalize'] as const;
/** Rows that a trial leaves out would make its loss another measure than that of the others. */
const LEAVES_ROWS_OUT: Record<string, string> = { handle_missing: 'drop', outliers: 'remove' };

/** What is worth trying of a table with texts, and where wrong answers have a price; an entry that has chosen is left alone. */
function sharedSpace({ hasTexts, settings }: DefaultsOf): Record<string, object> {
  const { costs, preprocessing } = (settings ?? {}) as Partial<TabularSettings>;
  return {
    ...(hasTexts && preprocessing?.encode === undefined
      ? { [`${PREPARED}encode`]: { type: 'categorical', choices: ['none', 'one_hot', 'target'] } }
      : {}),
    ...(costs ? { class_weight: { type: 'categorical', choices: ['none', 'balanced'] } } : {}),
  };
}

type DefaultsOf = Pick<SearchSubject, 'algorithm'> & Partial<Pick<SearchSubject, 'hasTexts' | 'settings'>>;

/** The ranges of one algorithm; of several a choice with the ranges of each below its name, such as `linear.l2_regularization`. */
export function defaultTabularSpace(subject: DefaultsOf): Record<string, unknown> {
  const { algorithm } = subject;
  const { class_weight: weights, ...shared } = sharedSpace(subject);
  if (algorithm === 'neural_network') return { ...SPACES[algorithm], ...shared };
  const common = { ...shared, ...(weights ? { class_weight: weights } : {}) };
  if (algorithm !== 'auto') return { ...SPACES[algorithm as Searched], ...common };
  const below = TABULAR_ALGORITHMS.flatMap((one) =>
    Object.entries(SPACES[one]).map(([name, range]) => [
      `${one}.${name}`,
      { ...range, when: { parameter: ALGORITHM, in: [one] } },
    ]),
  );
  return {
    [ALGORITHM]: { type: 'categorical', choices: TABULAR_ALGORITHMS },
    ...(Object.fromEntries(below) as Record<string, unknown>),
    ...common,
  };
}

/** What of a space no algorithm that may be tried knows. */
export function checkTabularSpace(space: SearchSpace, { algorithm, settings }: SearchSubject): FieldProblem[] {
  const choice = space.parameters.find(({ name }) => name === ALGORITHM);
  if (choice && choice.type !== 'categorical') return [{ path: ALGORITHM, message: 'must be categorical' }];
  if (!choice && algorithm === 'auto') {
    const message = `must be a parameter, since the model leaves the choice open: {type: categorical, choices: [${TABULAR_ALGORITHMS.join(', ')}]}`;
    return [{ path: ALGORITHM, message }];
  }
  const tried = (choice?.choices ?? [algorithm]) as Searched[];
  const wrong = tried.find((one) => !SEARCHED.includes(one));
  if (wrong !== undefined)
    return [{ path: `${ALGORITHM}.choices`, message: `has ${wrong}, but algorithms are ${SEARCHED.join(', ')}` }];
  return [
    ...space.parameters.flatMap((parameter) => checkPreparation(parameter, settings as TabularSettings)),
    ...space.parameters
      .filter(({ name }) => name !== ALGORITHM && !name.startsWith(PREPARED))
      .filter(({ name }) => !tried.some((one) => isKnown(name, one)))
      .map(({ name }) => ({
        path: name,
        message: `is no hyperparameter of ${tried.join(', ')}; those are ${[...new Set(tried.flatMap(usedBy))].join(', ')}`,
      })),
  ];
}

/** What of a choice of preprocessing cannot be searched. */
function checkPreparation(parameter: Parameter, { preprocessing }: TabularSettings): FieldProblem[] {
  const { name, type } = parameter;
  if (!name.startsWith(PREPARED)) return [];
  const choice = name.slice(PREPARED.length);
  if (choice === 'handle_missing' && preprocessing?.handle_missing === 'drop')
    return [{ path: name, message: 'cannot be searched: the entry leaves rows out with handle_missing: drop' }];
  if (!(PREPARATIONS as readonly string[]).includes(choice))
    return [{ path: name, message: `is no choice of preprocessing; those are ${PREPARATIONS.join(', ')}` }];
  if (type !== 'categorical') return [{ path: name, message: 'must be categorical' }];
  return parameter.choices.flatMap((value) => {
    const path = `${name}.choices`;
    if (value === LEAVES_ROWS_OUT[choice])
      return [{ path, message: `has ${value}, which leaves rows out; that can be set in the entry, and not searched` }];
    const issue = preprocessingConfigSchema.safeParse(preparedBy(choice, value)).error?.issues[0];
    return issue ? [{ path, message: `has ${JSON.stringify(value)}: ${issue.message}` }] : [];
  });
}

/** A method of `outliers` stands for its defaults. */
const preparedBy = (choice: string, value: ParameterValue): Record<string, unknown> => ({
  [choice]: choice === 'outliers' ? { method: value } : value,
});

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
  const all = Object.entries(configuration).filter(([name]) => name !== ALGORITHM);
  const found = all.filter(([name]) => !name.startsWith(PREPARED));
  const given = Object.fromEntries(
    found.map(([name, value]) => {
      const known = withoutPrefix(name, algorithm);
      return [known, known === 'hidden_units' ? String(value).split('x').map(Number) : value];
    }),
  );
  const parsed = hyperparametersSchema.safeParse({ ...plan.hyperparameters, ...given });
  const issue = parsed.error?.issues[0];
  if (issue) throw new RangeError(`${issue.path.join('.')}: ${issue.message}`);
  const prepared = all.filter(([name]) => name.startsWith(PREPARED));
  return {
    ...plan,
    algorithm,
    hyperparameters: parsed.data as Hyperparameters,
    ...(prepared.length > 0 ? { settings: withPreparation(plan, prepared) } : {}),
  };
}

/** The choices of a trial over those of the entry. */
function withPreparation(plan: TrainingPlan, prepared: readonly [string, ParameterValue][]): TabularSettings {
  const settings = settingsOf(plan);
  const chosen = prepared.map(([name, value]) => preparedBy(name.slice(PREPARED.length), value));
  const preprocessing = preprocessingConfigSchema.parse(Object.assign({}, settings.preprocessing, ...chosen));
  return { ...settings, preprocessing };
}
