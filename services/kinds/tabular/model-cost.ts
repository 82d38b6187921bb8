import type { HeadModel } from './head-model.js';

/** Nanoseconds of a core: a node of a tree with its share of cache misses, and a product with its sum. */
const NS_A_NODE = 8;
const NS_A_PRODUCT = 1;

/** What a model takes to keep and to ask. */
export interface ModelCost {
  /** Of its files, all heads together. */
  model_bytes: number;
  /** Of one row, without HTTP. Worked out from the shape of the model and not timed, so that it is the same on every machine and under any load. */
  latency_us: number;
}

/** @param heads all of a version; those of a network are one model */
export function costOf(heads: readonly HeadModel[]): ModelCost {
  const models = heads[0]?.algorithm === 'neural_network' ? heads.slice(0, 1) : heads;
  const sum = (of: (model: HeadModel) => number) => models.reduce((total, model) => total + of(model), 0);
  return {
    model_bytes: sum((model) => model.encode().length),
    latency_us: sum(({ work }) => NS_A_NODE * work.nodes + NS_A_PRODUCT * work.products) / 1000,
  };
}
