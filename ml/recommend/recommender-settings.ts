import type { Strength } from './interactions.js';
import { withStrength } from './interactions.js';
import type { Interactions } from './interactions.js';
import { fitEase } from './ease.js';
import { fitImplicitAls } from './implicit-als.js';
import type { ItemAttributes } from './item-attributes.js';
import { fitItemNeighbours } from './item-neighbours.js';
import { itemPopularity } from './most-popular.js';
import type { Preference, Recommender } from './recommender.js';

/** A learner with its settings. */
export type Learner =
  | { method: 'most-popular' }
  | { method: 'item-neighbours'; neighbours: number; shrinkage: number }
  | { method: 'ease'; lambda: number; userExponent: number }
  | { method: 'implicit-als'; factors: number; regularization: number; alpha: number };

/** All that is chosen before a fit. */
export interface RecommenderSettings {
  learner: Learner;
  strength: Strength;
  /** Age after which an entry of a user's history counts half, in the unit of the times; Infinity: never. */
  historyHalfLife: number;
  /** Age after which an interaction counts half for popularity. */
  popularityHalfLife: number;
  popularityWeight: number;
  contentWeight: number;
}

/** Limits of a fit that are not chosen by validation. */
export interface FitLimits {
  /** Items that take part in EASE (see `EaseParameters`). */
  mostEaseItems: number;
  /** Weights kept of each item's row. */
  keep: number;
  /** Sweeps of alternating least squares. */
  iterations: number;
  seed: number;
}

/** Fits a recommender with given settings. */
export function fitRecommender(
  interactions: Interactions,
  settings: RecommenderSettings,
  limits: FitLimits,
  attributes?: ItemAttributes,
): Recommender {
  const weighed = withStrength(interactions, settings.strength);
  return {
    method: settings.learner.method,
    items: interactions.items,
    preference: fitPreference(weighed, settings.learner, limits),
    reading: { strength: settings.strength, halfLife: settings.historyHalfLife },
    popularity: scaledPopularity(weighed, settings.popularityHalfLife),
    popularityWeight: settings.popularityWeight,
    contentWeight: attributes ? settings.contentWeight : 0,
    attributes,
  };
}

/** Popularity over its largest value. */
export function scaledPopularity(interactions: Interactions, halfLife: number): Float32Array {
  const popularity = itemPopularity(interactions, halfLife);
  const most = popularity.reduce((a, b) => Math.max(a, b), 0);
  return Float32Array.from(popularity, (value) => (most > 0 ? value / most : 0));
}

/** @param interactions with weights as the learner reads them */
export function fitPreference(interactions: Interactions, learner: Learner, limits: FitLimits): Preference {
  if (learner.method === 'item-neighbours')
    return { kind: 'weights', weights: fitItemNeighbours(interactions, learner) };
  if (learner.method === 'ease') {
    const { mostEaseItems: mostItems, keep } = limits;
    return { kind: 'weights', weights: fitEase(interactions, { ...learner, mostItems, keep }) };
  }
  if (learner.method === 'implicit-als') {
    const { iterations, seed } = limits;
    return { kind: 'factors', factors: fitImplicitAls(interactions, { ...learner, iterations, seed }) };
  }
  return { kind: 'none' };
}
