import type { FieldProblem } from '../../core/errors.js';
import type { Head } from '../../core/kinds/heads.js';
import type { ModelKind } from '../../core/names.js';
import type { ForestHyperparameters } from '../../core/schemas/model-config.js';

/** All that a training run follows: decided once, written into the workflow's history, never looked up again. */
export interface TrainingPlan {
  jobId: string;
  model: string;
  kind: ModelKind;
  algorithm: 'random_forest';
  hyperparameters: ForestHyperparameters;
  /** What was asked for and has no effect; told in the answer, in the job's result and with the version. */
  warnings: readonly FieldProblem[];
  heads: readonly Head[];
  /** Columns to learn from, in order; for a table without a list, all but target, entity, time and `exclude`. */
  features: readonly string[];
  entity?: string;
  timestamp?: string;
  datasetId: string;
  datasetDigest: string;
  startDate?: string;
  endDate?: string;
  filters: Record<string, string | number | boolean>;
  validationSplit: number;
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
  forest: (head: string) => `${head}.forest`,
  checkpoint: (head: string) => `${head}.checkpoint`,
} as const;

/** Columns that the training table has besides features and targets. */
export const GROUP_COLUMN = '_group';
