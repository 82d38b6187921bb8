import type { FieldProblem } from '../../core/errors.js';
import type { PromotionVerdict } from '../../core/policy/promotion.js';
import type { TrainRequest } from '../../core/schemas/training.js';
import type { BoostingCrew } from '../../ml/ensemble/boosting-work.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import type { Configuration, SearchSpace } from '../../ml/search/search-space.js';
import type { FrozenHoldout } from '../artifacts/frozen-holdout.js';
import type { GoldenCase, SignatureFeature, SignatureHead } from '../artifacts/model-bundle.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import type { ModelDefinition } from '../training/models-config.js';
import type { TrainingPlan } from '../training/training-plan.js';

/** What a kind decides about a run, from config, request and data; the rest of the plan is the same for every kind. */
export type PlannedKind = Pick<
  TrainingPlan,
  'algorithm' | 'hyperparameters' | 'seed' | 'warnings' | 'heads' | 'features' | 'settings' | 'entity' | 'timestamp'
> & {
  /** Filters that the kind knows besides the columns of the data. */
  filters?: readonly string[];
  /** What does not fit; the request is refused with all of it. */
  problems: readonly FieldProblem[];
};

export interface PlanInput {
  definition: ModelDefinition;
  request: TrainRequest;
  manifest: DatasetManifest;
  /** `AUTO_ML_ENABLED`: an entry that names no algorithm has the best of several. */
  autoMl: boolean;
  /** `GPU_ENABLED`: networks may be trained on a GPU. */
  gpuEnabled: boolean;
}

/** Figures of one pass of a fit by name, such as the loss after a round. */
export interface Measured {
  /** Counts the passes from 1. */
  step: number;
  values: Readonly<Record<string, number>>;
}

/** One step's report of how far it is, 0 to 1, with what, and what was measured on the way. */
export type OnProgress = (share: number, detail: string, measured?: Measured) => void;

/** The same figures under names that say whose they are. */
export const measuredOf = (whose: string, measured: Measured | undefined): Measured | undefined =>
  measured && {
    ...measured,
    values: Object.fromEntries(Object.entries(measured.values).map(([name, value]) => [`${whose}.${name}`, value])),
  };

/** The losses of a pass, under the names that all fits have for them. */
export const lossesOf = (step: number, training: number, validation?: number): Measured => ({
  step,
  values: { training_loss: training, ...(validation === undefined ? {} : { validation_loss: validation }) },
});

/** `fit.json`: what a fit found, besides its files. */
export interface FitOutcome {
  /** The algorithm that was chosen, where the plan left the choice open. */
  algorithm: string;
  /** Those that were used, complete. */
  hyperparameters: Record<string, unknown>;
  signature: readonly SignatureFeature[];
  heads: readonly SignatureHead[];
  /** Names of files in the staging folder that belong to the model. */
  files: readonly string[];
  /** Whatever else the scorer of the kind needs; plain JSON. */
  body: unknown;
  trainingRows: number;
  /** Facts worth keeping with the version, such as the candidates that were tried. */
  details?: Record<string, unknown>;
  /** What the operator should know: leakage, imbalance, columns that were left out. */
  warnings: readonly FieldProblem[];
}

/** `evaluation.json`: how good the model is on what no fit and no choice has seen. */
export interface Evaluation {
  /** By head and metric. */
  metrics: Record<string, Record<string, MetricEstimate>>;
  verdict: PromotionVerdict;
  trainingRows: number;
  holdoutRows: number;
  warnings?: readonly FieldProblem[];
  /** Facts worth keeping beside the metrics. */
  details?: Record<string, unknown>;
}

export interface CrossValidation {
  folds: number;
  /** Per head the metrics over all rows, each predicted by the model of the four folds without it. */
  heads: Record<string, Record<string, MetricEstimate>>;
}

/** What a trial measured: `loss`, lower is better, and what else can be an objective, by name. A trial whose objectives are not finite has failed. */
export interface TrialResult {
  metrics: Record<string, number>;
}

/** Something that trials measure. */
export interface TrialMetric {
  better: 'lower' | 'higher';
  /** Whether it says how good the answers are, not what they cost. */
  isQuality: boolean;
}

export interface TrialContext {
  seed: number;
  /** Tells how a trial does on its way; after "prune" it ends at once and returns undefined. */
  report(resource: number, loss: number): 'continue' | 'prune';
}

/** The data of a sweep, loaded once in a process that runs one trial after another. */
export interface OpenTrials {
  /** @throws Error that says what is wrong with the configuration; the trial has failed then, not the sweep */
  run(configuration: Configuration, context: TrialContext): Promise<TrialResult | undefined>;
}

/** Numbers that take long to make, for the processes beside this one that need the same. Losing them costs time and nothing else. */
export interface SharedNumbers {
  /** What was kept under a key, if it is whole. */
  take<T>(key: string): Promise<T | undefined>;
  /** @param bytes of it, about */
  keep(key: string, value: object, bytes: number): Promise<void>;
}

/** How the hyperparameters of a kind are searched. */
export interface SearchRecipe {
  /** The budget of a run that nobody has said anything of; undefined where it has nothing that trials could be judged by. */
  unasked(plan: Pick<TrainingPlan, 'settings'>): { trials: number; timeout_seconds: number } | undefined;
  /** What would be fitted without a search: tried first, where the fit does not compare with it itself. */
  unsearched?: Configuration;
  /** What is searched where nobody says: plain JSON as `parseSearchSpace` reads it. */
  defaultSpace(plan: SearchSubject): Record<string, unknown>;
  /** Parameters that a space names and the kind does not have; paths begin with the name of the parameter. */
  checkSpace(space: SearchSpace, plan: SearchSubject): FieldProblem[];
  /** What a trial measures, by name; `loss` is among them. */
  metrics(plan: SearchSubject): Record<string, TrialMetric>;
  /** What a trial reports its losses by: `least` is where it can first be judged, `most` is its end. */
  resource: { name: string; least: number; most: number };
  /** The plan with the hyperparameters of a configuration. @throws Error that says what is wrong with it */
  apply(plan: TrainingPlan, configuration: Configuration): TrainingPlan;
  /** Reads the staged table. No trial may see the rows that are held out. `shared`: of the processes that run trials of the same sweep. */
  openTrials(plan: TrainingPlan, staging: string, shared?: SharedNumbers): Promise<OpenTrials>;
}

/** What is known of a run when its search is planned. */
export type SearchSubject = Pick<
  TrainingPlan,
  'kind' | 'algorithm' | 'hyperparameters' | 'heads' | 'features' | 'settings'
> & {
  /** Whether some of the features are texts. */
  hasTexts?: boolean;
};

/**
 * How a kind learns: one object a kind, found through `recipes.ts`. Each step reads what the one before it has staged, can be
 * repeated, and gives the same result each time. `fit`, `crossValidate` and `evaluate` run in the training process.
 */
export interface KindRecipe {
  /** Whether `optimize` applies: its fits can be quantised and pruned. */
  hasVariants?: boolean;
  plan(input: PlanInput): PlannedKind;
  /** Writes `STAGED.table`. @throws ServiceError `training_data_insufficient` */
  buildTable(plan: TrainingPlan, folders: { datasets: string; staging: string }): Promise<{ rows: number }>;
  /** `crew`: threads for the learners that can use several; what they learn does not depend on it. */
  fit(plan: TrainingPlan, staging: string, onProgress: OnProgress, crew?: BoostingCrew): Promise<FitOutcome>;
  /** Absent where the evaluation is a backtest over several origins or users already. */
  crossValidate?(
    plan: TrainingPlan,
    staging: string,
    onProgress: OnProgress,
    crew?: BoostingCrew,
  ): Promise<CrossValidation>;
  /** Absent where a kind has nothing to search. */
  search?: SearchRecipe;
  /**
   * `golden`: cases whose answers every later load is held to; at least one. `report`: the version's report. `holdout`: labelled rows that
   * a later version can be compared on, where the kind has such.
   */
  evaluate(
    plan: TrainingPlan,
    staging: string,
    onProgress: OnProgress,
  ): Promise<{ evaluation: Evaluation; golden: GoldenCase[]; report?: unknown; holdout?: FrozenHoldout }>;
}
