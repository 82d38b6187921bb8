import { createAutoSampler } from './auto-sampler.js';
import { createGpSampler } from './gp-sampler.js';
import { createRandomSampler, createSobolSampler } from './random-sampler.js';
import type { Sampler } from './sampler.js';
import type { SearchSpace } from './search-space.js';
import { createTpeSampler } from './tpe-sampler.js';

export const SAMPLERS = ['auto', 'gp', 'tpe', 'sobol', 'random'] as const;
export type SamplerName = (typeof SAMPLERS)[number];

const CREATE: Record<SamplerName, (space: SearchSpace) => Sampler> = {
  auto: createAutoSampler,
  gp: createGpSampler,
  tpe: createTpeSampler,
  sobol: createSobolSampler,
  random: createRandomSampler,
};

export function createSampler(name: SamplerName, space: SearchSpace): Sampler {
  return CREATE[name](space);
}
