import { RandomSource } from './random-source.js';
import type { SimulationParameters } from './simulation-parameters.js';

export const ITEM_TYPES = ['template', 'extension', 'tutorial', 'model'] as const;
export const ITEM_ACTIONS = ['view', 'use', 'star'] as const;
/** Number of latent tastes. */
export const TASTES = 8;
/** How much taste outweighs popularity: an item's weight is exp(sharpness * match) * popularity. */
export const TASTE_SHARPNESS = 6;

export interface Item {
  itemId: string;
  itemType: (typeof ITEM_TYPES)[number];
  /** Share of each taste in the item: sums to 1. */
  tastes: Float64Array;
  /** Weight by which it is met at all: Zipf with exponent 0.7 over a shuffled order. */
  popularity: number;
}

/** The catalogue: the same for the same seed and number of items. */
export function buildItemCatalogue(parameters: SimulationParameters): Item[] {
  const random = new RandomSource(parameters.seed, 'items');
  return Array.from({ length: parameters.items }, (_, index) => ({
    itemId: `item_${index + 1}`,
    itemType: ITEM_TYPES[random.below(ITEM_TYPES.length)] ?? 'template',
    tastes: drawTastes(random, 2.5),
    popularity: (1 + random.below(parameters.items)) ** -0.7,
  }));
}

/** Draws shares of tastes: the higher the concentration, the more one of them dominates. */
export function drawTastes(random: RandomSource, concentration: number): Float64Array {
  const tastes = Float64Array.from({ length: TASTES }, () => Math.exp(concentration * random.normal()));
  const total = tastes.reduce((sum, share) => sum + share, 0);
  return tastes.map((share) => share / total);
}

/** How likely each item is to be the next that a user of these tastes turns to, as running sums that end at 1. */
export function itemChoice(items: readonly Item[], tastes: Float64Array): Float64Array {
  const sums = new Float64Array(items.length);
  let total = 0;
  items.forEach((item, index) => {
    let match = 0;
    for (let k = 0; k < TASTES; k += 1) match += (tastes[k] ?? 0) * (item.tastes[k] ?? 0);
    total += Math.exp(TASTE_SHARPNESS * match) * item.popularity;
    sums[index] = total;
  });
  return sums.map((sum) => sum / total);
}

/** Draws an index from running sums that end at 1. */
export function drawFromSums(random: RandomSource, sums: Float64Array): number {
  const target = random.uniform();
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 1) > target) high = middle;
    else low = middle + 1;
  }
  return low;
}
