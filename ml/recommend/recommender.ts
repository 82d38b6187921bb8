import type { IsotonicCurve } from '../calibrate/isotonic.js';
import { TasteFolder } from './fold-in.js';
import type { FoldedTaste } from './fold-in.js';
import type { HistoryReading, WeighedHistory } from './history.js';
import type { ItemFactors } from './implicit-als.js';
import { addContentScores } from './item-attributes.js';
import type { ItemAttributes } from './item-attributes.js';
import type { ItemWeights } from './item-weights.js';
import { weightBetween } from './item-weights.js';

/** The learners that a recommender may rest on; `most-popular` is the answer that needs none. */
export type RecommendMethod = 'most-popular' | 'item-neighbours' | 'ease' | 'implicit-als';

/** What histories say about items, as one of the learners has it. */
export type Preference =
  { kind: 'none' } | { kind: 'weights'; weights: ItemWeights } | { kind: 'factors'; factors: ItemFactors };

/**
 * All that is needed to recommend to any history. The score of an item is
 * `preference / (the user's largest) + popularityWeight * popularity / (the largest) + contentWeight * cosine of the attributes`.
 */
export interface Recommender {
  readonly method: RecommendMethod;
  readonly items: number;
  readonly preference: Preference;
  readonly reading: HistoryReading;
  /** One number an item, 0 to 1, the most popular has 1 (all 0 where nobody took anything). */
  readonly popularity: Float32Array;
  readonly popularityWeight: number;
  readonly contentWeight: number;
  readonly attributes?: ItemAttributes;
  /** From an item's share of all scores to the chance that it is the user's next one; absent where too few users told. */
  readonly calibration?: IsotonicCurve;
}

/** However little popularity weighs, it orders those items on which a history says nothing. */
const LEAST_POPULARITY_WEIGHT = 1e-6;

/** Scores items for histories, with arrays that are made once: use one of these for many users, one call at a time. */
export class ItemScorer {
  /** One number an item: what the history says, on the learner's own scale. */
  readonly preference: Float64Array;
  /** One number an item: the score. */
  readonly scores: Float64Array;
  /** One number an item: the part of the score that comes from attributes. */
  private readonly content: Float64Array;
  private readonly folder?: TasteFolder;
  private folded?: FoldedTaste;
  private scale = 0;
  private history: WeighedHistory = { items: [], weights: [] };

  constructor(private readonly model: Recommender) {
    this.preference = new Float64Array(model.items);
    this.scores = new Float64Array(model.items);
    this.content = new Float64Array(model.attributes && model.contentWeight > 0 ? model.items : 0);
    if (model.preference.kind === 'factors') this.folder = new TasteFolder(model.preference.factors);
  }

  /** Fills `preference` for a history. */
  readPreference(history: WeighedHistory): void {
    const { preference } = this.model;
    this.history = history;
    this.preference.fill(0);
    if (preference.kind === 'weights') addWeights(preference.weights, history, this.preference);
    else if (preference.kind === 'factors' && history.items.length > 0) {
      this.folded = this.folder!.fold(history.items, history.weights);
      multiplyFactors(preference.factors, this.folded.taste, this.preference);
    }
  }

  /** Fills `scores` for a history; with an empty one they are the popularity. */
  score(history: WeighedHistory): void {
    this.readPreference(history);
    const { popularity, popularityWeight, contentWeight, attributes } = this.model;
    this.scale = preferenceScale(this.preference, history);
    const factor = popularityFactor(popularityWeight, this.scale);
    for (let i = 0; i < this.scores.length; i++)
      this.scores[i] = this.scale * this.preference[i]! + factor * popularity[i]!;
    if (attributes && this.content.length > 0) {
      this.content.fill(0);
      addContentScores(attributes, history.items, history.weights, contentWeight, this.content);
      for (let i = 0; i < this.scores.length; i++) this.scores[i]! += this.content[i]!;
    }
  }

  /** What one entry of the history last scored adds to the score of an item. */
  contribution(entry: number, item: number): number {
    const { preference } = this.model;
    const [from, weight] = [this.history.items[entry]!, this.history.weights[entry]!];
    if (preference.kind === 'weights') return this.scale * weight * weightBetween(preference.weights, from, item);
    if (preference.kind === 'factors') return this.scale * this.folder!.contribution(this.folded!, from, weight, item);
    return 0;
  }

  /** The part of an item's score that comes from its attributes. */
  contentPart(item: number): number {
    return this.content[item] ?? 0;
  }

  /** The part of an item's score that comes from what the history says. */
  preferencePart(item: number): number {
    return this.scale * this.preference[item]!;
  }
}

function addWeights(weights: ItemWeights, history: WeighedHistory, out: Float64Array): void {
  const { offsets, item, weight } = weights;
  for (let h = 0; h < history.items.length; h++) {
    const from = history.items[h]!;
    const strength = history.weights[h]!;
    const end = offsets[from + 1]!;
    for (let at = offsets[from]!; at < end; at++) out[item[at]!]! += strength * weight[at]!;
  }
}

function multiplyFactors({ items, factors: f, values }: ItemFactors, taste: Float64Array, out: Float64Array): void {
  for (let item = 0; item < items; item++) {
    let sum = 0;
    for (let k = 0; k < f; k++) sum += values[item * f + k]! * taste[k]!;
    out[item] = sum;
  }
}

/** One over the largest preference among what the user does not have; 0 where the history speaks for nothing. */
export function preferenceScale(preference: Float64Array, history: WeighedHistory): number {
  const held = history.items.map((item) => preference[item]!);
  for (const item of history.items) preference[item] = -Infinity;
  let most = 0;
  for (let i = 0; i < preference.length; i++) if (preference[i]! > most) most = preference[i]!;
  history.items.forEach((item, h) => (preference[item] = held[h]!));
  return most > 0 ? 1 / most : 0;
}

/** What popularity counts where the history says something (`scale` above 0), and where it does not. */
export function popularityFactor(popularityWeight: number, scale: number): number {
  return scale > 0 ? Math.max(popularityWeight, LEAST_POPULARITY_WEIGHT) : 1;
}
