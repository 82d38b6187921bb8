import { createPrng } from '../random/prng.js';
import type { Sampler } from './sampler.js';
import type { SearchSpace } from './search-space.js';
import { SobolSequence } from './sobol.js';
import { configurationAt } from './unit-cube.js';

/** Draws each parameter evenly over its scale, each trial for itself. */
export function createRandomSampler(space: SearchSpace): Sampler {
  return {
    space,
    suggest: ({ index, seed }) => {
      const prng = createPrng(seed, 0x72616e64, index);
      return configurationAt(
        space,
        Float64Array.from(space.parameters, () => prng.next()),
      );
    },
  };
}

/** Draws the points of a scrambled Sobol sequence: spread evenly whatever the budget, and the more so at powers of two. */
export function createSobolSampler(space: SearchSpace): Sampler {
  let held: { seed: number; sequence: SobolSequence } | undefined;
  return {
    space,
    suggest: ({ index, seed }) => {
      // Scrambling costs more than a point: the last seed's sequence is kept, which changes no draw.
      if (held?.seed !== seed) held = { seed, sequence: new SobolSequence(space.parameters.length, seed) };
      return configurationAt(space, held.sequence.at(index));
    },
  };
}
