import type { PrunerName } from '../../ml/search/create-pruner.js';
import type { SamplerName } from '../../ml/search/create-sampler.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { PlannedVariant } from '../training/training-plan.js';

/** All that the trials of a sweep follow, besides the data, the budget and the warm start. Plain JSON. */
export interface SearchPlan {
  sampler: SamplerName;
  pruner: PrunerName;
  seed: number;
  parallelism: number;
  /** As `searchSpaceJson` writes it. */
  space: Record<string, unknown>;
  resource: { name: string; least: number; most: number };
  trials: number;
  timeoutSeconds?: number;
  warmStart: boolean | string;
  /** Absent: the loss alone. */
  objectives?: readonly Objective[];
  constraints?: readonly Constraint[];
  /** So many of the best may answer together; three where absent. */
  ensembleModels?: number;
  /** Nobody asked for it: where it finds nothing, the defaults are fitted. */
  isAutomatic?: boolean;
}

/** What a trial is judged by. */
export interface Objective {
  metric: string;
  direction: 'minimize' | 'maximize';
}

/** What a trial must meet to be taken. */
export interface Constraint {
  metric: string;
  max?: number;
  min?: number;
}

/** A trial that may be taken. */
export interface Finalist {
  trial: number;
  configuration: Configuration;
  loss: number;
}

/** A trial that no other betters in all objectives, with its figures by metric. */
export interface FrontTrial {
  trial: number;
  configuration: Configuration;
  values: Record<string, number>;
}

/** What came of a sweep, as the plan and the lineage of the version carry it. */
export interface SweepChoice {
  sweep_id: string;
  /** The trial whose configuration was taken. */
  trial: number;
  configuration: Configuration;
  loss: number;
  /** The best of the completed trials, best first: the fit compares them on rows that no trial has seen. */
  finalists: readonly Finalist[];
  /** Of several objectives the trials that none betters in all, by the first objective. */
  front?: readonly FrontTrial[];
  /** What would have been fitted without a search. */
  defaults: PlannedVariant & { settings?: unknown };
  trials: number;
  completed: number;
  pruned: number;
  failed: number;
}
