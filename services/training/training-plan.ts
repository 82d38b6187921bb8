import type { FieldProblem } from '../../core/errors.js';
import type { Head } from '../../core/kinds/heads.js';
import type { Optimize } from '../../core/schemas/optimize.js';
import type { ModelKind } from '../../core/names.js';
import type { PlannedView } from '../features/plan-views.js';
import type { SearchPlan, SweepChoice } from '../search/search-plan.js';

/** One way to fit. */
export interface PlannedVariant {
  algorithm: string;
  hyperparameters: TrainingPlan['hyperparameters'];
}

/** All that a training run follows: decided once, written into the workflow's history, never looked up again. */
export interface TrainingPlan {
  jobId: string;
  model: string;
  kind: ModelKind;
  /** The algorithm, or `auto` for the best of several. */
  algorithm: string;
  /** Complete: what was not asked for has its default. Plain JSON. */
  hyperparameters: Record<string, unknown>;
  /** All draws follow from it. */
  seed: number;
  /** What was asked for and has no effect; told in the answer, in the job's result and with the version. */
  warnings: readonly FieldProblem[];
  heads: readonly Head[];
  /** Columns to learn from, in order; for a table without a list, all but target, entity, time and `exclude`. */
  features: readonly string[];
  /** What only the kind knows: its own part of the config entry, completed. Plain JSON. */
  settings: unknown;
  entity?: string;
  timestamp?: string;
  datasetId: string;
  datasetDigest: string;
  startDate?: string;
  endDate?: string;
  filters: Record<string, string | number | boolean>;
  /** What the rows are joined with; absent where the entry names no views. */
  featureViews?: readonly PlannedView[];
  validationSplit: number;
  /** The search that comes before the fit, where one was asked for. */
  search?: SearchPlan;
  /** Where the hyperparameters come from, once the search is over. */
  sweep?: SweepChoice;
  /** Settings that are fitted side by side in place of `algorithm` and `hyperparameters`, where a search settled on several. */
  variants?: readonly PlannedVariant[];
  /** The variant of the fitted model that is tried in its place, where one was asked for. */
  optimize?: Optimize;
  crossValidation: boolean;
  autoDeploy: boolean;
  fitTimeoutSeconds: number;
  /** The release that trains; another one may give another model. */
  codeVersion: string;
}

/** Files of a run below `<models>/.staging/<job>/`, until the version is registered. */
export const STAGED = {
  table: 'table.parquet',
  fit: 'fit.json',
  crossValidation: 'cross-validation.json',
  evaluation: 'evaluation.json',
  golden: 'golden.json',
  report: 'report.json',
  /** What is kept of the rows that were held out; null where the kind keeps none. */
  holdout: 'holdout.json',
} as const;

/** Every dataset that a run reads. */
export const datasetsOf = ({ datasetId, featureViews = [] }: TrainingPlan) => [
  datasetId,
  ...featureViews.flatMap(({ inputs }) => Object.values(inputs).map((input) => input.dataset_id)),
];
