import type { Configuration, SearchSpace } from './search-space.js';
import type { Trial } from './trial.js';

/** What a draw depends on, all of it: the same request gives the same configuration on every machine. */
export interface DrawRequest {
  /** Every trial before this one, by index (`visibleTrials`); those that run count as taken. */
  readonly history: readonly Trial[];
  /** Number of the trial to draw, from 0. */
  readonly index: number;
  /** Whole number within ±2^53. */
  readonly seed: number;
}

/** Draws configurations; holds no state between draws. */
export interface Sampler {
  readonly space: SearchSpace;
  suggest(request: DrawRequest): Configuration;
}
