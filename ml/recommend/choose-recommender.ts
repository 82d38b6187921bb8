import { createPrng, shuffle } from '../random/prng.js';
import { weighHistory } from './history.js';
import type { WeighedHistory } from './history.js';
import type { HoldOut } from './hold-out.js';
import type { Interactions, Strength } from './interactions.js';
import { withStrength } from './interactions.js';
import { addContentScores } from './item-attributes.js';
import type { ItemAttributes } from './item-attributes.js';
import { LIST_LENGTH, rankOf } from './ranking-quality.js';
import { RankTally } from './rank-tally.js';
import type { Estimate } from './rank-tally.js';
import type { Preference, Recommender } from './recommender.js';
import { ItemScorer, popularityFactor, preferenceScale } from './recommender.js';
import type { FitLimits, Learner, RecommenderSettings } from './recommender-settings.js';
import { fitPreference, scaledPopularity } from './recommender-settings.js';

/** One learner that was tried, with the best way to blend it. */
export interface RecommenderTrial {
  settings: RecommenderSettings;
  /** Mean of NDCG@10 and recall@10 over the users of the choice. */
  worth: number;
  /** Users of the choice, with 95 % intervals that are not widened for having chosen by these users. */
  users: number;
  recallAt10: Estimate;
  ndcgAt10: Estimate;
}

export interface RecommenderChoice {
  best: RecommenderTrial;
  /** The best of the popularities: what a recommender has to beat. */
  popular: RecommenderTrial;
  /** Everything that was tried, in the order of trying. */
  trials: RecommenderTrial[];
}

/** Learners that may be tried; `implicit-als` is for catalogues too large for the other two. */
export type TriedMethod = 'item-neighbours' | 'ease' | 'implicit-als';

/** Users whose held-out item decides: at least so many where there are, and more where the catalogue is small. */
const LEAST_JUDGES = 5000;
const MOST_SCORES = 10_000_000;
/** Half-lives are parts of the time that the interactions span. */
const HALF_LIFE_PARTS = [4, 8, 16];
const POPULARITY_WEIGHTS = [0, 0.1, 0.3, 0.6];
/** Never 0 where attributes are known: items that nobody has met yet would have no place of their own. */
const CONTENT_WEIGHTS = [0.02, 0.1, 0.3];
const SHRINKAGES = [10, 50, 100];
const NEIGHBOURS = 200;
const LAMBDAS = [20, 100, 300, 1000];
/** Steps between the λ of the first round, where the catalogue is small enough to be quick. */
const FINER = [0.25, 0.5, 2];
const EASE_ITEMS_OF_A_SEARCH = 2000;

/**
 * Chooses a learner, its settings and the blend with popularity and attributes by how well it finds what users took last when
 * trained on what they took before it. The same data must not be used to say how good the choice is.
 */
export function chooseRecommender(
  holdOut: HoldOut,
  methods: readonly TriedMethod[],
  limits: FitLimits,
  attributes?: ItemAttributes,
  onProgress?: (share: number, detail: string) => void,
  /** Tried besides, such as those that a search has found. */
  further: readonly Learner[] = [],
): RecommenderChoice {
  const search = new LearnerSearch(holdOut, limits.seed);
  const trials: RecommenderTrial[] = search.tryPopularities();
  const popular = bestOf(trials);
  // EASE looks for its λ among fewer items: the cube of a third less is a third of the time.
  const mostEaseItems = Math.min(limits.mostEaseItems, EASE_ITEMS_OF_A_SEARCH);
  const learners = firstLearners(methods);
  learners.forEach((learner, at) => {
    onProgress?.(at / (learners.length + 2), `trying ${learner.method}`);
    trials.push(search.tryLearner(learner, { ...limits, mostEaseItems }));
  });
  const ease = bestOf(trials.filter(({ settings }) => settings.learner.method === 'ease'))?.settings.learner;
  if (ease?.method === 'ease') {
    trials.push(search.tryLearner({ ...ease, userExponent: 0.5 }, limits));
    if (limits.mostEaseItems >= holdOut.rest.items)
      for (const factor of FINER) trials.push(search.tryLearner({ ...ease, lambda: ease.lambda * factor }, limits));
    if (mostEaseItems < Math.min(limits.mostEaseItems, holdOut.rest.items))
      trials.push(search.tryLearner(ease, limits));
  }
  for (const learner of further) trials.push(search.tryLearner(learner, limits));
  let best = bestOf(trials)!;
  if (attributes) {
    const blends = search.tryContent(best.settings, limits, attributes);
    trials.push(...blends);
    best = bestOf(blends)!;
  }
  return { best, popular: popular!, trials };
}

function bestOf(trials: readonly RecommenderTrial[]): RecommenderTrial | undefined {
  return trials.reduce<RecommenderTrial | undefined>(
    (best, trial) => (best && best.worth >= trial.worth ? best : trial),
    undefined,
  );
}

function firstLearners(methods: readonly TriedMethod[]): Learner[] {
  const learners: Learner[] = [];
  if (methods.includes('item-neighbours'))
    for (const shrinkage of SHRINKAGES) learners.push({ method: 'item-neighbours', neighbours: NEIGHBOURS, shrinkage });
  if (methods.includes('ease'))
    for (const lambda of LAMBDAS) learners.push({ method: 'ease', lambda, userExponent: 0 });
  if (methods.includes('implicit-als'))
    for (const regularization of [50, 150])
      learners.push({ method: 'implicit-als', factors: 64, regularization, alpha: 10 });
  return learners;
}

/** Which of the held-out users decide, as places in the hold-out. */
function drawJudges(count: number, items: number, seed: number): Int32Array {
  const all = Int32Array.from({ length: count }, (_, k) => k);
  const most = Math.max(LEAST_JUDGES, Math.floor(MOST_SCORES / items));
  return shuffle(all, createPrng(seed, 0x6a756467)).slice(0, most).sort();
}

/** Tries learners on users whose next item is known. */
export class LearnerSearch {
  private readonly judges: Int32Array;
  private readonly strengths: Strength[];
  private readonly historyHalfLives: number[];
  private readonly popularityHalfLives: number[];
  private readonly weighed: Record<Strength, Interactions>;
  private readonly popularities: { halfLife: number; strength: Strength; values: Float32Array }[] = [];
  private readonly scores: Float64Array;
  /** All items, the most popular first. */
  private readonly order: Int32Array;

  constructor(
    private readonly holdOut: HoldOut,
    seed: number,
  ) {
    const { rest } = holdOut;
    this.judges = drawJudges(holdOut.user.length, rest.items, seed);
    this.strengths = rest.weight.some((weight) => weight !== rest.weight[0]) ? ['presence', 'log'] : ['presence'];
    const halfLives = rest.hasTimes ? HALF_LIFE_PARTS.map((parts) => timeSpan(rest) / parts) : [];
    this.historyHalfLives = [Infinity, ...halfLives];
    this.popularityHalfLives = [Infinity, ...halfLives];
    this.weighed = { presence: withStrength(rest, 'presence'), log: withStrength(rest, 'log') };
    this.scores = new Float64Array(rest.items);
    for (const strength of this.strengths)
      for (const halfLife of this.popularityHalfLives)
        this.popularities.push({ halfLife, strength, values: scaledPopularity(this.weighed[strength], halfLife) });
    const { values } = this.popularities[0]!;
    this.order = Int32Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
  }

  tryPopularities(): RecommenderTrial[] {
    return this.popularities.map(({ halfLife, strength, values }) => {
      const tally = new RankTally();
      for (const judge of this.judges) {
        const history = this.historyOf(judge, strength, Infinity);
        this.scores.set(values);
        tally.add(this.rankAmongOthers(judge, history));
      }
      return {
        settings: {
          learner: { method: 'most-popular' },
          strength,
          historyHalfLife: Infinity,
          popularityHalfLife: halfLife,
          popularityWeight: 1,
          contentWeight: 0,
        },
        ...tally.summary(),
      };
    });
  }

  /** Fits a learner and tries every blend of it. */
  tryLearner(learner: Learner, limits: FitLimits): RecommenderTrial {
    const trials = this.strengths.flatMap((strength) => {
      const preference = fitPreference(this.weighed[strength], learner, limits);
      return this.historyHalfLives.map((halfLife) => this.tryBlends(learner, preference, strength, halfLife));
    });
    return bestOf(trials)!;
  }

  private tryBlends(
    learner: Learner,
    preference: Preference,
    strength: Strength,
    historyHalfLife: number,
  ): RecommenderTrial {
    const { items } = this.holdOut.rest;
    const scorer = new ItemScorer(bareModel(learner, preference, items, strength, historyHalfLife));
    const popularities = this.popularities.filter((popularity) => popularity.strength === strength);
    const blends = popularities.flatMap((popularity, at) =>
      // Without any weight it does not matter which popularity it is.
      POPULARITY_WEIGHTS.filter((weight) => weight > 0 || at === 0).map((weight) => ({
        ...popularity,
        weight,
        tally: new RankTally(),
      })),
    );
    const { preference: preferences } = scorer;
    for (const judge of this.judges) {
      const history = this.historyOf(judge, strength, historyHalfLife);
      scorer.readPreference(history);
      const scale = preferenceScale(preferences, history);
      for (const item of history.items) preferences[item] = NaN;
      const target = this.holdOut.target[judge]!;
      for (const blend of blends) {
        const factor = popularityFactor(blend.weight, scale);
        blend.tally.add(rankOfBlend(target, preferences, scale, blend.values, factor, this.order));
      }
    }
    const best = blends.reduce((a, b) => (b.tally.total > a.tally.total ? b : a));
    return {
      settings: {
        learner,
        strength,
        historyHalfLife,
        popularityHalfLife: best.halfLife,
        popularityWeight: best.weight,
        contentWeight: 0,
      },
      ...best.tally.summary(),
    };
  }

  /** Tries attributes on top of settings that were chosen before. */
  tryContent(settings: RecommenderSettings, limits: FitLimits, attributes: ItemAttributes): RecommenderTrial[] {
    const { strength, historyHalfLife, popularityHalfLife, popularityWeight, learner } = settings;
    const preference = fitPreference(this.weighed[strength], learner, limits);
    const { values } = this.popularities.find(
      (popularity) => popularity.strength === strength && popularity.halfLife === popularityHalfLife,
    )!;
    const bare = bareModel(learner, preference, this.holdOut.rest.items, strength, historyHalfLife);
    const scorer = new ItemScorer({ ...bare, popularity: values, popularityWeight });
    const tallies = CONTENT_WEIGHTS.map(() => new RankTally());
    for (const judge of this.judges) {
      const history = this.historyOf(judge, strength, historyHalfLife);
      scorer.score(history);
      CONTENT_WEIGHTS.forEach((weight, k) => {
        this.scores.set(scorer.scores);
        addContentScores(attributes, history.items, history.weights, weight, this.scores);
        tallies[k]!.add(this.rankAmongOthers(judge, history));
      });
    }
    return CONTENT_WEIGHTS.map((contentWeight, k) => ({
      settings: { ...settings, contentWeight },
      ...tallies[k]!.summary(),
    }));
  }

  private historyOf(judge: number, strength: Strength, halfLife: number): WeighedHistory {
    const { rest, user } = this.holdOut;
    const [start, end] = [rest.offsets[user[judge]!]!, rest.offsets[user[judge]! + 1]!];
    const items = rest.item.subarray(start, end);
    const [weights, times] = [rest.weight.subarray(start, end), rest.time.subarray(start, end)];
    return weighHistory({ items, weights, times }, { strength, halfLife }, rest.items);
  }

  private rankAmongOthers(judge: number, history: WeighedHistory): number {
    for (const item of history.items) this.scores[item] = -Infinity;
    return rankOf(this.holdOut.target[judge]!, this.scores);
  }
}

/**
 * As `rankOf` of `scale * preference + factor * popularity`, without writing it down; Infinity as soon as ten are better, which
 * shows soonest where the `order` of looking begins with popular items.
 */
function rankOfBlend(
  target: number,
  preference: Float64Array,
  scale: number,
  popularity: Float32Array,
  factor: number,
  order: Int32Array,
): number {
  const wanted = scale * preference[target]! + factor * popularity[target]!;
  let before = 0;
  let equal = 0;
  for (const i of order) {
    const score = scale * preference[i]! + factor * popularity[i]!;
    if (score > wanted) {
      if (++before >= LIST_LENGTH) return Infinity;
    } else if (score === wanted) equal++;
  }
  return before + (equal - 1) / 2;
}

function bareModel(
  { method }: Learner,
  preference: Preference,
  items: number,
  strength: Strength,
  halfLife: number,
): Recommender {
  const popularity = new Float32Array(items);
  const reading = { strength, halfLife };
  return { method, items, preference, reading, popularity, popularityWeight: 0, contentWeight: 0 };
}

function timeSpan({ time }: Interactions): number {
  let [first, last] = [Infinity, -Infinity];
  for (const value of time) {
    first = Math.min(first, value);
    last = Math.max(last, value);
  }
  return last - first;
}
