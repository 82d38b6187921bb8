import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FieldProblem } from '../../../core/errors.js';
import { encodeInteractions } from '../../../ml/recommend/interactions-format.js';
import { selectInteractions, type Interactions } from '../../../ml/recommend/interactions.js';
import { encodeRecommender } from '../../../ml/recommend/recommender-format.js';
import { trainRecommender, type RecommenderReport } from '../../../ml/recommend/train-recommender.js';
import { writeStaged } from '../../storage/staged-file.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { FitOutcome, OnProgress } from '../recipe.js';
import { readInteractionTable } from './interaction-table.js';
import { settingsOf } from './plan.js';
import { searchedLearners } from './search-recommender.js';
import { describeSettings, JUDGEMENT_FILE, stageJudgement } from './staged-judgement.js';

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
  /** Absent in versions of earlier releases, which explore nothing. */
  exploration?: number;
  /** Makes the draws of one version its own. */
  drawsOf?: string;
}

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
    learners: searchedLearners(plan),
    inspect: true,
    onProgress: (share, detail) => onProgress(0.05 + 0.9 * share, detail),
  });
  const { model: modelFile, histories, catalogue: catalogueFile } = RECOMMENDATION_FILES;
  const encoded = encodeRecommender(model);
  await writeStaged(join(staging, modelFile), encoded);
  await writeStaged(join(staging, histories), encodeInteractions(latestOf(interactions, settings.most_history)));
  await writeStaged(join(staging, catalogueFile), JSON.stringify(catalogue));
  await writeStaged(join(staging, JUDGEMENT_FILE), JSON.stringify(stageJudgement(report, interactions)));
  onProgress(1, 'stored');
  const body: RecommendationBody = {
    includeSeen: settings.include_seen,
    diversity: settings.diversity,
    mostPerAttribute: settings.most_per_attribute,
    exploration: settings.exploration,
    drawsOf: createHash('sha256').update(encoded).digest('hex'),
  };
  return {
    algorithm: model.method.replaceAll('-', '_'),
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
  const { offsets } = interactions;
  return selectInteractions(interactions, (at, user) => at >= offsets[user + 1]! - most);
}
