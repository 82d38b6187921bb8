import type { FieldProblem } from '../../core/errors.js';
import type { SearchRequest } from '../../core/schemas/search.js';
import { parseSearchSpace, searchSpaceJson, type SearchSpace } from '../../ml/search/search-space.js';
import type { KindRecipe, SearchSubject } from '../kinds/recipe.js';
import type { SearchPlan } from './search-plan.js';

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
  const problems = search
    .checkSpace(parsed.space, subject)
    .map(({ path, message }) => ({ path: `${SPACE}.${path}`, message }));
  if (problems.length > 0) return { problems };
  return {
    problems,
    plan: {
      sampler: request.sampler,
      pruner: request.pruner,
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

function readSpace(input: unknown): { space: SearchSpace } | FieldProblem {
  try {
    return { space: parseSearchSpace(input, SPACE) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const [, path = SPACE, message = error.message] = /^(search\.space\S*?):? (.*)$/s.exec(error.message) ?? [];
    return { path, message };
  }
}
