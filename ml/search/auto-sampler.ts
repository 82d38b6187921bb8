import { createGpSampler } from './gp-sampler.js';
import type { Sampler } from './sampler.js';
import type { SearchSpace } from './search-space.js';
import { createTpeSampler } from './tpe-sampler.js';
import type { Trial } from './trial.js';

/** Up to so many trials and parameters a Gaussian process makes more of what is known; its cost grows with the cube of the trials. */
export const MOST_GP_TRIALS = 100;
export const MOST_GP_PARAMETERS = 20;

/**
 * The sampler by what the search is: a Gaussian process for the first 100 trials of one objective over at most 20 parameters, the Parzen
 * estimator for all else, which then knows all trials before. Both start with the same even draws. On functions of known
 * minimum the process is the better one at 50 and 100 trials; taking turns between the two did no better.
 */
export function createAutoSampler(space: SearchSpace): Sampler {
  const tpe = createTpeSampler(space);
  if (space.parameters.length > MOST_GP_PARAMETERS) return tpe;
  const gp = createGpSampler(space);
  return {
    space,
    suggest: (request) =>
      (request.index < MOST_GP_TRIALS && !request.history.some(hasObjectives) ? gp : tpe).suggest(request),
  };
}

const hasObjectives = ({ outcome }: Trial) => outcome.state === 'completed' && outcome.losses.length > 1;
