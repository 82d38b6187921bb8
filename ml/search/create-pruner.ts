import { createAshaPruner, createHyperbandPruner, createSuccessiveHalvingPruner } from './halving-pruner.js';
import { createMedianPruner } from './median-pruner.js';
import { KEEP_ALL, type Pruner } from './pruner.js';

export const PRUNERS = ['none', 'median', 'successive_halving', 'asha', 'hyperband'] as const;
export type PrunerName = (typeof PRUNERS)[number];

export interface PrunerOptions {
  /** What a trial spends that runs to its end, such as rounds; whole, from 1. */
  readonly maxResource: number;
  /** No trial is judged before this; whole, from 1; 3 unless given. */
  readonly minResource?: number;
  /** Of the pruners that halve: one trial in so many goes on; whole, from 2; 3 unless given. */
  readonly eta?: number;
}

/** @throws RangeError for options out of their range */
export function createPruner(name: PrunerName, options: PrunerOptions): Pruner {
  const { maxResource } = options;
  if (!Number.isInteger(maxResource) || maxResource < 1)
    throw new RangeError(`the most resource is ${maxResource} but must be a whole number from 1`);
  switch (name) {
    case 'none':
      return KEEP_ALL;
    case 'median':
      return createMedianPruner(options);
    case 'successive_halving':
      return createSuccessiveHalvingPruner(options);
    case 'asha':
      return createAshaPruner(options);
    case 'hyperband':
      return createHyperbandPruner(options);
  }
}
