import type { SamplerName } from '../../core/schemas/search.js';
import { createRandomSampler, createSobolSampler } from '../../ml/search/random-sampler.js';
import type { Sampler } from '../../ml/search/sampler.js';
import {
  checkConfiguration,
  parseSearchSpace,
  type Configuration,
  type SearchSpace,
} from '../../ml/search/search-space.js';
import { createTpeSampler } from '../../ml/search/tpe-sampler.js';
import type { Trial } from '../../ml/search/trial.js';

const SAMPLER: Record<SamplerName, (space: SearchSpace) => Sampler> = {
  tpe: createTpeSampler,
  sobol: createSobolSampler,
  random: createRandomSampler,
};

export interface DrawInput {
  sampler: SamplerName;
  space: Record<string, unknown>;
  seed: number;
  /** Configurations that are tried before any is drawn. */
  warm: readonly Configuration[];
  /** Every trial before this one, as `visibleTrials` shows them. */
  history: readonly Trial[];
  index: number;
}

/** The configuration of a trial. It follows from the input alone, on every machine. */
export function drawTrial(input: DrawInput): { configuration: Configuration; source: 'sampler' | 'warm_start' } {
  const { warm, index, seed, history } = input;
  const known = warm[index];
  if (known) return { configuration: known, source: 'warm_start' };
  const sampler = SAMPLER[input.sampler](parseSearchSpace(input.space));
  return { configuration: sampler.suggest({ history, index, seed }), source: 'sampler' };
}

/** Whether a configuration of another sweep could have been drawn from this space. */
export function fitsSpace(space: SearchSpace, configuration: Configuration): boolean {
  try {
    checkConfiguration(space, configuration);
    return true;
  } catch {
    return false;
  }
}
