import { cutColumns, fillBins, fillCounts, planMemory, type ColumnCuts } from '../tree/gradient-plan.js';
import { createMemory, type WasmMemory } from '../wasm/assembler.js';
import { marginCount } from './boosting-loss.js';
import type { GradientBoostingInput } from './boosting-parameters.js';
import { BoostingWorker, type BoostingCrew, type BoostingJob } from './boosting-work.js';

/** The memory of a fit with everything in it that does not change from round to round. */
export interface BoostingSetup {
  cuts: ColumnCuts;
  memory: WasmMemory;
  worker: BoostingWorker;
  /** Answers of the rows so far: `[row * margins + margin]`. */
  margins: Float64Array;
  /** Rows that can be learned from, and the largest number that one of them counts as. */
  usable: Uint32Array;
  mostCount: number;
}

/** Up to this total, whole weights count as rows. */
const MOST_WHOLE_WEIGHT = 2 ** 24;

/**
 * Cuts the columns, lays out the memory and fills it.
 * @param weights the sample weights with those of the classes, absent where all are 1
 */
export function setUpBoosting(
  input: GradientBoostingInput,
  weights: Float64Array | undefined,
  crew: BoostingCrew | undefined,
): BoostingSetup {
  const { x, y, loss, parameters: p } = input;
  const cuts = cutColumns(x, input.weights, p.maxBins, p.seed, input.categorical);
  let [total, mostCount, isWhole] = [0, 1, true];
  for (const weight of weights ?? []) {
    total += weight;
    mostCount = Math.max(mostCount, weight);
    isWhole &&= Number.isInteger(weight);
  }
  isWhole &&= total <= MOST_WHOLE_WEIGHT;
  const plan = planMemory(x, cuts, {
    margins: marginCount(loss),
    maxLeaves: p.maxLeaves,
    totalCount: isWhole && weights ? total : x.rows,
    hasCounts: isWhole && mostCount > 1,
    hasWeights: weights !== undefined && !isWhole,
    threads: crew?.threads ?? 1,
  });
  const memory = createMemory(plan.pages, plan.isShared);
  fillBins(x, cuts, plan, memory.buffer);
  const targets = new Float64Array(memory.buffer, plan.at.targets, x.rows);
  targets.set(y);
  // A row that does not count must not coarsen the units of the others either.
  const known = weights?.findIndex((weight) => weight > 0) ?? 0;
  weights?.forEach((weight, row) => {
    if (weight === 0) targets[row] = y[known]!;
  });
  if (weights && plan.hasWeights) new Float64Array(memory.buffer, plan.at.weights, x.rows).set(weights);
  if (weights && plan.hasCounts) fillCounts(weights, plan, memory.buffer);
  // Two rows are derived at a time: one that is not there should say nothing.
  if (loss.kind === 'logistic' && x.rows % 2 === 1)
    new Float64Array(memory.buffer)[plan.at.margins / 8 + x.rows] = -700;
  const { l2, minSplitGain, minChildHessian, minSamplesLeaf } = p;
  const rules = { l2, minSplitGain, minChildHessian, minSamplesLeaf, monotone: input.monotone };
  const job: BoostingJob = { plan, rules, loss };
  const worker = new BoostingWorker(job, memory, 0);
  if (plan.isShared) crew!.attach(job, memory);
  const usable = Uint32Array.from({ length: x.rows }, (_, row) => row);
  return {
    cuts,
    memory,
    worker,
    margins: new Float64Array(memory.buffer, plan.at.margins, x.rows * plan.margins),
    usable: weights ? usable.filter((row) => weights[row]! > 0) : usable,
    mostCount: plan.hasCounts ? mostCount : 1,
  };
}

/** The columns that can part rows at all. */
export function splittableColumns({ binCounts, hasMissing }: ColumnCuts): Int32Array {
  return Int32Array.from(binCounts.keys()).filter((column) => binCounts[column]! + hasMissing[column]! > 1);
}
