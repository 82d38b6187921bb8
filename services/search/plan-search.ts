import type { FieldProblem } from '../../core/errors.js';
import { MOST_TRIALS_OF_SEVERAL, type SearchRequest } from '../../core/schemas/search.js';
import { parseSearchSpace, searchSpaceJson, type SearchSpace } from '../../ml/search/search-space.js';
import type { KindRecipe, SearchSubject, TrialMetric } from '../kinds/recipe.js';
import { LOSS } from './judge-metrics.js';
import type { Constraint, Objective, SearchPlan } from './search-plan.js';

const SPACE = 'search.space';

/** Decides what the search of a run follows, or says what of the request does not fit. */
export function planSearch(
  request: SearchRequest,
  { search }: Pick<KindRecipe, 'search'>,
  subject: SearchSubject,
): { plan?: SearchPlan; problems: FieldProblem[] } {
  if (!search) {
    const message = `has no effect for the kind ${subject.kind}, which chooses its settings by itself; leave it out`;
    return { problems: [{ path: 'search', message }] };
  }
  const parsed = readSpace(request.space ?? search.defaultSpace(subject));
  if (!('space' in parsed)) return { problems: [parsed] };
  const goals = readGoals(request, search.metrics(subject));
  const problems = [
    ...search
      .checkSpace(parsed.space, subject)
      .map(({ path, message }) => ({ path: path ? `${SPACE}.${path}` : 'search', message })),
    ...goals.problems,
  ];
  if (problems.length > 0) return { problems };
  const { objectives, constraints } = goals;
  return {
    problems,
    plan: {
      sampler: request.sampler,
      pruner: request.pruner ?? (objectives.length > 1 ? 'none' : 'asha'),
      ...(request.objectives ? { objectives } : {}),
      ...(constraints.length > 0 ? { constraints } : {}),
      ensembleModels: request.ensemble.models,
      seed: request.seed,
      parallelism: request.parallelism,
      space: searchSpaceJson(parsed.space),
      resource: search.resource,
      trials: request.trials,
      timeoutSeconds: request.timeout_seconds,
      warmStart: request.warm_start,
    },
  };
}

/** The objectives and constraints of a request, held to what a trial of the kind measures. */
function readGoals(
  request: SearchRequest,
  metrics: Record<string, TrialMetric>,
): { objectives: Objective[]; constraints: Constraint[]; problems: FieldProblem[] } {
  const asked = request.objectives ?? [{ metric: LOSS }];
  const constraints = request.constraints ?? [];
  const known = (metric: string) => (Object.hasOwn(metrics, metric) ? metrics[metric] : undefined);
  const unknown = (path: string, metric: string): FieldProblem[] =>
    known(metric)
      ? []
      : [{ path: `${path}.metric`, message: `is ${metric}, but a trial measures ${Object.keys(metrics).join(', ')}` }];
  const problems = [
    ...asked.flatMap(({ metric }, at) => unknown(`search.objectives.${at}`, metric)),
    ...constraints.flatMap(({ metric }, at) => unknown(`search.constraints.${at}`, metric)),
    ...asked.flatMap(({ metric }, at) =>
      asked.findIndex((one) => one.metric === metric) < at
        ? [{ path: `search.objectives.${at}.metric`, message: `is ${metric}, which is an objective already` }]
        : [],
    ),
  ];
  const directionOf = (metric: string) => (known(metric)?.better === 'higher' ? 'maximize' : 'minimize');
  asked.forEach(({ metric, direction = directionOf(metric) }, at) => {
    if (known(metric) && direction !== directionOf(metric))
      problems.push({
        path: `search.objectives.${at}.direction`,
        message: `of ${metric} must be ${directionOf(metric)}`,
      });
  });
  if (known(asked[0]!.metric)?.isQuality === false) {
    const message = `is ${asked[0]!.metric}, but the first objective decides and must say how good the answers are: name it second, or bound it by a constraint`;
    problems.push({ path: 'search.objectives.0.metric', message });
  }
  if (asked.length > 1 && (request.pruner ?? 'none') !== 'none')
    problems.push({
      path: 'search.pruner',
      message: 'must be none with several objectives: a trial that loses more may yet be the smallest',
    });
  if (asked.length > 1 && request.trials > MOST_TRIALS_OF_SEVERAL)
    problems.push({
      path: 'search.trials',
      message: `must be at most ${MOST_TRIALS_OF_SEVERAL} with several objectives`,
    });
  return {
    objectives: asked.map(({ metric }) => ({ metric, direction: directionOf(metric) })),
    constraints,
    problems,
  };
}

function readSpace(input: unknown): { space: SearchSpace } | FieldProblem {
  try {
    return { space: parseSearchSpace(input, SPACE) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const [, path = SPACE, message = error.message] = /^(search\.space\S*?):? (.*)$/s.exec(error.message) ?? [];
    return { path, message };
  }
}
