import type { SamplerName } from '../../core/schemas/search.js';
import type { PrunerName } from '../../ml/search/create-pruner.js';
import type { Configuration } from '../../ml/search/search-space.js';

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
}

/** What came of a sweep, as the plan and the lineage of the version carry it. */
export interface SweepChoice {
  sweep_id: string;
  /** The trial whose configuration was taken. */
  trial: number;
  configuration: Configuration;
  loss: number;
  trials: number;
  completed: number;
  pruned: number;
  failed: number;
}
