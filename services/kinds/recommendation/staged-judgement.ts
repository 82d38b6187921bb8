import type { RecommenderTrial } from '../../../ml/recommend/choose-recommender.js';
import type { RecommenderInspection } from '../../../ml/recommend/inspect-recommender.js';
import type { Interactions } from '../../../ml/recommend/interactions.js';
import type { RecommenderJudgement } from '../../../ml/recommend/judge-recommender.js';
import type { RecommenderSettings } from '../../../ml/recommend/recommender-settings.js';
import type { RecommenderReport } from '../../../ml/recommend/train-recommender.js';

/** What the fit found out about itself, for the evaluation; not part of the version. */
export const JUDGEMENT_FILE = 'judgement.json';

export interface StagedJudgement {
  refusal?: RecommenderReport['refusal'];
  comparison?: RecommenderReport['comparison'];
  judged?: JudgementFigures;
  popular?: JudgementFigures;
  inspection?: RecommenderInspection;
  trials: TriedRecommender[];
  /** Users and items by how often they stand in the interactions. */
  known: { users: KnownCount[]; items: KnownCount[] };
}

export type JudgementFigures = Pick<
  RecommenderJudgement,
  'users' | 'recallAt10' | 'ndcgAt10' | 'coverage' | 'intervals'
>;

/** A learner that was tried, in words, with what it reached on the users of the choice. */
export interface TriedRecommender extends Pick<RecommenderTrial, 'users' | 'recallAt10' | 'ndcgAt10'> {
  method: string;
  settings: string;
  isChosen: boolean;
}

export interface KnownCount {
  /** Such as `3 to 4`. */
  interactions: string;
  count: number;
}

/** What the evaluation and the report need of a training's report. */
export function stageJudgement(report: RecommenderReport, interactions: Interactions): StagedJudgement {
  const { refusal, comparison, judged, popular, inspection } = report;
  return {
    refusal,
    comparison,
    judged: judged && figuresOf(judged),
    popular: popular && figuresOf(popular),
    inspection,
    trials: describeTrials(report),
    known: countKnown(interactions),
  };
}

function figuresOf({ users, recallAt10, ndcgAt10, coverage, intervals }: RecommenderJudgement): JudgementFigures {
  return { users, recallAt10, ndcgAt10, coverage, intervals };
}

/** As plain JSON, which has no infinity: a half-life of null is none. Times are in milliseconds, so half-lives come in days. */
export function describeSettings(settings: RecommenderSettings): Record<string, unknown> {
  const days = (halfLife: number) => (halfLife === Infinity ? null : halfLife / 86_400_000);
  const { method, ...own } = settings.learner;
  return {
    method: method.replaceAll('-', '_'),
    ...own,
    strength: settings.strength,
    history_half_life_days: days(settings.historyHalfLife),
    popularity_half_life_days: days(settings.popularityHalfLife),
    popularity_weight: settings.popularityWeight,
    content_weight: settings.contentWeight,
  };
}

function describeTrials({ trials, best }: RecommenderReport): TriedRecommender[] {
  return trials.map((trial) => {
    const { method, ...settings } = describeSettings(trial.settings);
    const { users, recallAt10, ndcgAt10 } = trial;
    return {
      method: String(method).replaceAll('_', ' '),
      settings: Object.entries(settings)
        .map(([name, value]) => `${nameInWords(name)} ${valueInWords(value)}`)
        .join(', '),
      users,
      recallAt10,
      ndcgAt10,
      isChosen: trial === best,
    };
  });
}

const nameInWords = (name: string): string => name.replace(/([A-Z])/g, ' $1').replaceAll('_', ' ').toLowerCase(); // prettier-ignore

function valueInWords(value: unknown): string {
  if (value === null) return 'none';
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : String(value);
}

const KNOWN_ENDS = [0, 1, 2, 4, 9, 19, 99, Infinity];

function countKnown({ users, items, offsets, item }: Interactions): StagedJudgement['known'] {
  const perItem = new Int32Array(items);
  for (const i of item) perItem[i]!++;
  const perUser = Int32Array.from({ length: users }, (_, user) => offsets[user + 1]! - offsets[user]!);
  return { users: countBySize(perUser), items: countBySize(perItem) };
}

function countBySize(sizes: Int32Array): KnownCount[] {
  return KNOWN_ENDS.flatMap((end, at) => {
    const from = at === 0 ? 0 : KNOWN_ENDS[at - 1]! + 1;
    const count = sizes.reduce((sum, size) => sum + (size >= from && size <= end ? 1 : 0), 0);
    const interactions = end === Infinity ? `${from} or more` : from === end ? String(end) : `${from} to ${end}`;
    return count === 0 ? [] : [{ interactions, count }];
  });
}
