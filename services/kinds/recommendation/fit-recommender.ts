import { join } from 'node:path';
import type { FieldProblem } from '../../../core/errors.js';
import { encodeInteractions } from '../../../ml/recommend/interactions-format.js';
import type { Interactions } from '../../../ml/recommend/interactions.js';
import type { RecommenderJudgement } from '../../../ml/recommend/judge-recommender.js';
import { encodeRecommender } from '../../../ml/recommend/recommender-format.js';
import type { RecommenderSettings } from '../../../ml/recommend/recommender-settings.js';
import { trainRecommender, type RecommenderReport } from '../../../ml/recommend/train-recommender.js';
import { writeStaged } from '../../storage/staged-file.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { FitOutcome, OnProgress } from '../recipe.js';
import { readInteractionTable } from './interaction-table.js';
import { settingsOf } from './plan.js';

/** The files of a version: the model, what users had taken when it was trained, and the names of all. */
export const RECOMMENDATION_FILES = {
  model: 'recommender.bin',
  histories: 'histories.bin',
  catalogue: 'catalogue.json',
} as const;

/** What the scorer reads besides the files. */
export interface RecommendationBody {
  includeSeen: boolean;
  diversity: number;
  mostPerAttribute: number | null;
}

/** What the fit found out about itself, for the evaluation; not part of the version. */
export const JUDGEMENT_FILE = 'judgement.json';
export interface StagedJudgement {
  refusal?: RecommenderReport['refusal'];
  comparison?: RecommenderReport['comparison'];
  judged?: JudgementFigures;
  popular?: JudgementFigures;
}
export type JudgementFigures = Pick<
  RecommenderJudgement,
  'users' | 'recallAt10' | 'ndcgAt10' | 'coverage' | 'intervals'
>;

/**
 * Chooses, judges and fits a recommender. What users took last is judged by and part of the final fit only; so the judgement is
 * made here, by models that had not seen it, and written down for the evaluation.
 */
export async function fitRecommendation(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<FitOutcome> {
  const settings = settingsOf(plan);
  const { interactions, catalogue, attributes } = await readInteractionTable(plan, staging);
  const { model, report } = trainRecommender({
    interactions,
    attributes,
    methods: settings.methods?.map((method) => METHODS[method]),
    mostEaseItems: settings.most_ease_items,
    seed: plan.seed,
    onProgress: (share, detail) => onProgress(0.05 + 0.9 * share, detail),
  });
  const { model: modelFile, histories, catalogue: catalogueFile } = RECOMMENDATION_FILES;
  await writeStaged(join(staging, modelFile), encodeRecommender(model));
  await writeStaged(join(staging, histories), encodeInteractions(latestOf(interactions, settings.most_history)));
  await writeStaged(join(staging, catalogueFile), JSON.stringify(catalogue));
  const { refusal, comparison, judged, popular } = report;
  const judgement: StagedJudgement = {
    refusal,
    comparison,
    judged: judged && figuresOf(judged),
    popular: popular && figuresOf(popular),
  };
  await writeStaged(join(staging, JUDGEMENT_FILE), JSON.stringify(judgement));
  onProgress(1, 'stored');
  const body: RecommendationBody = {
    includeSeen: settings.include_seen,
    diversity: settings.diversity,
    mostPerAttribute: settings.most_per_attribute,
  };
  return {
    algorithm: plainName(model.method),
    hyperparameters: { ...describeSettings(report.settings), seed: plan.seed },
    signature: [{ name: 'user_id', type: 'string' }],
    heads: [{ name: 'items', task: 'ranking' }],
    files: [modelFile, histories, catalogueFile],
    body,
    trainingRows: interactions.item.length,
    details: {
      users: interactions.users,
      items: interactions.items,
      candidates: report.trials.map((trial) => ({ ...describeSettings(trial.settings), worth: trial.worth })),
    },
    warnings: describeRefusal(report),
  };
}

const METHODS = { item_neighbours: 'item-neighbours', ease: 'ease', implicit_als: 'implicit-als' } as const;
const plainName = (method: string): string => method.replaceAll('-', '_');

function figuresOf({ users, recallAt10, ndcgAt10, coverage, intervals }: RecommenderJudgement): JudgementFigures {
  return { users, recallAt10, ndcgAt10, coverage, intervals };
}

/** As plain JSON, which has no infinity: a half-life of null is none. Times are in milliseconds, so half-lives come in days. */
function describeSettings(settings: RecommenderSettings): Record<string, unknown> {
  const days = (halfLife: number) => (halfLife === Infinity ? null : halfLife / 86_400_000);
  const { method, ...own } = settings.learner;
  return {
    method: plainName(method),
    ...own,
    strength: settings.strength,
    history_half_life_days: days(settings.historyHalfLife),
    popularity_half_life_days: days(settings.popularityHalfLife),
    popularity_weight: settings.popularityWeight,
    content_weight: settings.contentWeight,
  };
}

function describeRefusal({ refusal }: RecommenderReport): FieldProblem[] {
  if (!refusal) return [];
  const message =
    refusal.code === 'too_few_users'
      ? `only ${refusal.users} users have enough interactions to choose and judge by, and ${refusal.needed} are needed: the model answers with the popular items`
      : 'what users took does not tell one from another by more than chance: the model answers with the popular items';
  return [{ path: 'training_data', message }];
}

/** The latest entries of each user. */
function latestOf(interactions: Interactions, most: number): Interactions {
  const { users, offsets } = interactions;
  const kept: number[] = [];
  const keptOffsets = new Int32Array(users + 1);
  for (let user = 0; user < users; user++) {
    const end = offsets[user + 1]!;
    for (let at = Math.max(offsets[user]!, end - most); at < end; at++) kept.push(at);
    keptOffsets[user + 1] = kept.length;
  }
  return {
    ...interactions,
    offsets: keptOffsets,
    item: Int32Array.from(kept, (at) => interactions.item[at]!),
    weight: Float64Array.from(kept, (at) => interactions.weight[at]!),
    time: Float64Array.from(kept, (at) => interactions.time[at]!),
  };
}
