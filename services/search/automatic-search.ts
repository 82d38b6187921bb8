import type { FieldProblem } from '../../core/errors.js';
import { searchRequestSchema, type SearchRequest } from '../../core/schemas/search.js';
import type { TrainRequest } from '../../core/schemas/training.js';
import type { KindRecipe } from '../kinds/recipe.js';
import type { ModelDefinition } from '../training/models-config.js';

/** From so many rows on; on fewer, the best of several configurations owes more to luck than to itself. */
export const LEAST_ROWS_OF_AUTOMATIC_SEARCH = 1000;

/**
 * The search of a run that nobody has said anything of: with `AUTO_ML_ENABLED`, an entry that names no algorithm and no hyperparameters,
 * and rows enough. It knows nothing of earlier sweeps, so that the same data give the same model.
 * @param rows of the dataset
 * @returns undefined where the defaults are fitted at once
 */
export function automaticSearch(
  input: {
    definition: Pick<ModelDefinition, 'algorithm' | 'hyperparameters' | 'search'>;
    request: Pick<TrainRequest, 'hyperparameters' | 'search'>;
    autoMl: boolean;
    recipe: Pick<KindRecipe, 'search'>;
    settings: unknown;
  },
  rows: number,
): SearchRequest | undefined {
  const { definition, request, autoMl, recipe, settings } = input;
  const isUndecided =
    definition.algorithm === undefined &&
    Object.keys(definition.hyperparameters).length === 0 &&
    Object.keys(request.hyperparameters ?? {}).length === 0 &&
    definition.search === undefined &&
    request.search === undefined;
  if (!autoMl || !isUndecided || rows < LEAST_ROWS_OF_AUTOMATIC_SEARCH) return undefined;
  const budget = recipe.search?.unasked({ settings });
  return budget && searchRequestSchema.parse({ ...budget, warm_start: false });
}

/** What a caller is told who did not ask for a search. */
export function describeAutomaticSearch({ trials, timeout_seconds: seconds }: SearchRequest): FieldProblem {
  return {
    path: 'search',
    message: `up to ${trials} configurations are tried first, for at most ${seconds} s, since the entry says nothing of how to learn; "search": false fits the defaults at once`,
  };
}
