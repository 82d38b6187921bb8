import type { GradientKernels } from '../tree/gradient-kernels.js';
import { bindKernels } from '../tree/gradient-kernels.js';
import type { GradientPlan } from '../tree/gradient-plan.js';
import { BIN_BYTES, LEAF_NUMBERS, pairRows } from '../tree/gradient-plan.js';
import type { NodeSums, ScanRules, SplitRules } from '../tree/gradient-scan.js';
import { gainToBeat, HistogramReader } from '../tree/gradient-scan.js';
import type { WasmMemory } from '../wasm/assembler.js';
import type { BoostingLoss } from './boosting-loss.js';
import { deriveRows } from './boosting-derivatives.js';

/** All that a thread needs to take part in a fit; plain data that can be sent to it. */
export interface BoostingJob {
  plan: GradientPlan;
  rules: SplitRules;
  loss: BoostingLoss;
}

/**
 * Threads that work on one fit together. The thread that fits is one of them: `perform` has every thread call
 * `BoostingWorker.perform` with its own number and returns when all are done.
 */
export interface BoostingCrew {
  readonly threads: number;
  /** Hands the job and the shared memory to all other threads; called once before the first `perform`. */
  attach(job: BoostingJob, memory: WasmMemory): void;
  /** Runs the task that the memory describes on all threads; `own` does this thread's part. */
  perform(own: () => void): void;
  /** The fit has ended: the other threads let go of the memory. */
  detach(): void;
}

/** The kinds of task. */
export const SPLIT = 1;
export const PARTITION = 2;
export const DERIVE = 3;
export const QUANTISE = 4;
export const UPDATE = 5;

/** Where a task's numbers stand: its kind, then what is listed for each kind, then the units of the tree. */
export const TASK = { kind: 0, arguments: 1, gradientUnit: 30, hessianUnit: 31 } as const;

/** A histogram to be made or derived; `slot` -1 for none. */
export interface SplitTask {
  margin: number;
  /** The child whose rows are counted, as positions in the order of rows; slot -1 where there is none. */
  start: number;
  end: number;
  slot: number;
  /** The other child: its histogram is that of the parent, in the same slot, less the first child's, or is counted too; without rows it is there. */
  otherStart: number;
  otherEnd: number;
  otherSlot: number;
  isSubtracted: boolean;
  /** Null where a child cannot be split: nobody looks for how. */
  node: NodeSums | null;
  other: NodeSums | null;
}

/** One thread's share of the work. Sums are whole numbers, so it does not matter how many threads there are. */
export class BoostingWorker {
  private readonly kernels: GradientKernels;
  readonly reader: HistogramReader;
  private readonly task: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly answers: Float64Array;
  private readonly rules: ScanRules;

  constructor(
    readonly job: BoostingJob,
    private readonly memory: WasmMemory,
  ) {
    const { plan, rules } = job;
    this.kernels = bindKernels(plan, memory);
    this.reader = new HistogramReader(plan, memory.buffer);
    this.task = new Float64Array(memory.buffer, plan.at.task, 32);
    this.bytes = new Uint8Array(memory.buffer);
    this.answers = new Float64Array(memory.buffer, plan.at.answers, 128);
    const { l2, minSplitGain, minChildHessian, minSamplesLeaf, monotone } = rules;
    this.rules = {
      l2,
      minSplitGain,
      minHessian: minChildHessian,
      minCount: minSamplesLeaf,
      monotone: monotone?.some((direction) => direction !== 0) ? monotone : undefined,
      hessianUnit: 1,
    };
  }

  /** Does part `part` of `parts` of the task that the memory describes. */
  perform(part: number, parts: number): void {
    switch (this.task[TASK.kind]) {
      case SPLIT:
        return this.split(part, parts);
      case PARTITION:
        return this.partition(part, parts);
      case DERIVE:
        return this.derive(part, parts);
      case QUANTISE:
        return this.quantise(part, parts);
      case UPDATE:
        return this.update(part, parts);
      default:
        throw new RangeError(`there is no task of kind ${this.task[TASK.kind]}`);
    }
  }

  /** The rules in the units of the tree that is growing. */
  scanRules(): ScanRules {
    const { rules, task } = this;
    const [gradientUnit, hessianUnit] = [task[TASK.gradientUnit]!, task[TASK.hessianUnit]!];
    const { l2, minSplitGain, minChildHessian, minSamplesLeaf } = this.job.rules;
    rules.l2 = l2 * hessianUnit;
    rules.minSplitGain = (minSplitGain * gradientUnit * gradientUnit) / hessianUnit;
    rules.minHessian = Math.max(1, minChildHessian * hessianUnit);
    // Counts are whole, and no side may be empty.
    rules.minCount = Math.max(1, Math.ceil(minSamplesLeaf));
    rules.hessianUnit = hessianUnit;
    return rules;
  }

  private split(part: number, parts: number): void {
    const { plan } = this.job;
    const { blocks } = plan;
    const task = readSplitTask(this.task);
    const rules = this.scanRules();
    const blockCount = blocks.length - 1;
    for (
      let block = Math.floor((blockCount * part) / parts);
      block < Math.floor((blockCount * (part + 1)) / parts);
      block++
    ) {
      const first = blocks[block]!;
      const end = blocks[block + 1]!;
      const parent = task.isSubtracted ? task.otherSlot : -1;
      if (task.slot >= 0) this.count(task.margin, task.start, task.end, task.slot, parent, block);
      if (task.otherSlot >= 0 && task.otherEnd > 0 && !task.isSubtracted)
        this.count(task.margin, task.otherStart, task.otherEnd, task.otherSlot, -1, block);
      if (task.node) this.scanBlock(0, task.slot, task.node, first, end, rules);
      if (task.other) this.scanBlock(1, task.otherSlot, task.other, first, end, rules);
    }
  }

  private slotAt(slot: number): number {
    const { at, histogramOffsets, columns } = this.job.plan;
    return at.histograms + slot * histogramOffsets[columns]!;
  }

  /**
   * Counts rows into a block's histograms and takes them away from those of the parent, if any: all columns row by row, or the
   * active ones column by column where they are few.
   */
  private count(margin: number, start: number, end: number, slot: number, parent: number, block: number): void {
    const { plan } = this.job;
    const { at, blocks, histogramOffsets } = plan;
    const [first, last] = [blocks[block]!, blocks[block + 1]!];
    const pairs = at.pairs + margin * pairRows(plan.rows) * 8;
    const [rowsFrom, rowsTo] = [at.order + 4 * start, at.order + 4 * end];
    let active = 0;
    for (let column = first; column < last; column++) active += this.bytes[at.active + column]!;
    if (active === 0) return;
    if (2 * active >= last - first) this.kernels[`histogram${block}`]!(rowsFrom, rowsTo, pairs);
    else
      for (let column = first; column < last; column++) {
        if (this.bytes[at.active + column] === 0) continue;
        const bins = at.columnBins + column * plan.rows;
        this.kernels.histogramColumn(rowsFrom, rowsTo, pairs, bins, at.scratch + histogramOffsets[column]!);
      }
    const [from, to] = [histogramOffsets[first]!, histogramOffsets[last]!];
    const takenFrom = parent < 0 ? 0 : this.slotAt(parent) + from;
    this.kernels.distribute(at.scratch + from, at.scratch + to, this.slotAt(slot) + from, takenFrom);
  }

  private scanBlock(which: number, slot: number, node: NodeSums, first: number, end: number, rules: ScanRules): void {
    const { at, isCategorical } = this.job.plan;
    const histogram = this.slotAt(slot);
    const floor = gainToBeat(node, rules);
    for (let column = first; column < end; column++) {
      if (this.bytes[at.active + column] === 0) this.reader.writeNothing(which, column);
      else if (isCategorical[column] === 1) this.reader.scanCategories(which, column, histogram, node, rules);
      else if (rules.monotone) this.reader.scanBounded(which, column, histogram, node, rules);
      else this.scanColumn(which, column, histogram, node, floor, rules);
    }
  }

  private scanColumn(
    which: number,
    column: number,
    histogram: number,
    node: NodeSums,
    floor: number,
    rules: ScanRules,
  ): void {
    const { binCounts, hasMissing, histogramOffsets } = this.job.plan;
    const { reader, kernels } = this;
    const first = histogram + histogramOffsets[column]!;
    const bins = binCounts[column]!;
    reader.writeNothing(which, column);
    if (node.count < 2 * rules.minCount) return;
    const missing = first + bins * BIN_BYTES;
    let isMissing = false;
    if (hasMissing[column] === 1) {
      reader.read(missing);
      isMissing = reader.count > 0;
    }
    const found = reader.kernelFoundAt(which, column);
    const { gradient, hessian, count } = node;
    const { l2, minHessian, minCount } = rules;
    kernels.scan(
      first,
      isMissing ? bins : bins - 1,
      0,
      gradient,
      hessian,
      count,
      l2,
      minHessian,
      minCount,
      floor,
      found,
    );
    const best = reader.takeFromKernel(which, column, histogram, node, floor, isMissing ? 0 : -1);
    if (best === 0) reader.writeNothing(which, column);
    if (!isMissing) return;
    // The second scan has a place of its own for what it finds, so that a worse answer does not overwrite the first.
    const spare = reader.spareFoundAt(which, column);
    kernels.scan(
      first,
      bins - 1,
      missing,
      gradient,
      hessian,
      count,
      l2,
      minHessian,
      minCount,
      Math.max(best, floor),
      spare,
    );
    reader.takeFromKernel(which, column, histogram, node, floor, 1, spare);
  }

  private partition(part: number, parts: number): void {
    const { at, rows } = this.job.plan;
    const [, start, end, column] = this.task as unknown as [number, number, number, number];
    const from = start + Math.floor(((end - start) * part) / parts);
    const to = start + Math.floor(((end - start) * (part + 1)) / parts);
    const left = this.kernels.partition(
      at.order + 4 * from,
      at.order + 4 * to,
      at.spare + 4 * from,
      at.columnBins + column * rows,
    );
    this.answers[2 * part] = ((left >>> 0) - at.order) / 4;
  }

  private derive(part: number, parts: number): void {
    const { plan, loss } = this.job;
    const { at, rows, margins, hasWeights } = plan;
    const { buffer } = this.memory;
    const [start, end] = evenShare(rows, part, parts);
    if (loss.kind === 'logistic') {
      const [most, mostHessian] = this.deriveLogistic(start, end, part);
      this.answers[2 * part] = most;
      this.answers[2 * part + 1] = mostHessian;
      return;
    }
    const [most, mostHessian] = deriveRows(
      loss,
      new Float64Array(buffer, at.targets, rows),
      new Float64Array(buffer, at.margins, rows * margins),
      hasWeights ? new Float64Array(buffer, at.weights, rows) : undefined,
      new Float32Array(buffer, at.pairs, pairRows(rows) * margins * 2),
      start,
      end,
    );
    this.answers[2 * part] = most;
    this.answers[2 * part + 1] = mostHessian;
  }

  private deriveLogistic(start: number, end: number, part: number): [number, number] {
    const { at } = this.job.plan;
    const own = at.partial + 32 * part;
    const from = 8 * start;
    const [targets, weights] = [at.targets + from, at.weights + from];
    this.kernels.deriveLogistic(at.margins + from, at.margins + 8 * end, targets, weights, at.pairs + from, own);
    const most = new Float64Array(this.memory.buffer, own, 4);
    return [Math.max(most[0]!, most[1]!), Math.max(most[2]!, most[3]!)];
  }

  /** Turns the derivatives of all margins from 32-bit floats into whole numbers of units, where they stand. */
  private quantise(part: number, parts: number): void {
    const { at, rows, margins } = this.job.plan;
    const [gradientUnit, hessianUnit] = [this.task[TASK.gradientUnit]!, this.task[TASK.hessianUnit]!];
    const [start, end] = evenShare(rows, part, parts);
    for (let margin = 0; margin < margins; margin++) {
      const pairs = at.pairs + 8 * margin * pairRows(rows);
      this.kernels.quantise(pairs + 8 * start, pairs + 8 * end, at.counts + 4 * start, gradientUnit, hessianUnit);
    }
  }

  private update(part: number, parts: number): void {
    const { at } = this.job.plan;
    const [, leaves, margin] = this.task as unknown as [number, number, number];
    const list = new Float64Array(this.memory.buffer, at.leaves, leaves * LEAF_NUMBERS);
    const margins = at.margins + 8 * margin;
    for (let leaf = 0; leaf < leaves; leaf++) {
      const value = list[leaf * LEAF_NUMBERS + 4]!;
      for (let kind = 0; kind < 4; kind += 2) {
        const start = list[leaf * LEAF_NUMBERS + kind]!;
        const length = list[leaf * LEAF_NUMBERS + kind + 1]! - start;
        const from = start + Math.floor((length * part) / parts);
        const to = start + Math.floor((length * (part + 1)) / parts);
        this.kernels.addToMargins(at.order + 4 * from, at.order + 4 * to, margins, value);
      }
    }
  }
}

/** Writes a task of the kind SPLIT. */
export function writeSplitTask(numbers: Float64Array, task: SplitTask): void {
  numbers[TASK.kind] = SPLIT;
  const { margin, start, end, slot, otherStart, otherEnd, otherSlot, isSubtracted, node, other } = task;
  const children = [margin, start, end, slot, otherStart, otherEnd, otherSlot, isSubtracted ? 1 : 0];
  numbers.set([...children, ...listSums(node), ...listSums(other)], TASK.arguments);
}

function listSums(node: NodeSums | null): number[] {
  return node ? [1, node.gradient, node.hessian, node.count, node.lower, node.upper] : [0, 0, 0, 0, 0, 0];
}

function readSplitTask(numbers: Float64Array): SplitTask {
  const [, margin, start, end, slot, otherStart, otherEnd, otherSlot, isSubtracted] = numbers as unknown as number[] & {
    length: 9;
  };
  const sums = (at: number): NodeSums | null =>
    numbers[at] === 0
      ? null
      : {
          gradient: numbers[at + 1]!,
          hessian: numbers[at + 2]!,
          count: numbers[at + 3]!,
          lower: numbers[at + 4]!,
          upper: numbers[at + 5]!,
        };
  return {
    margin: margin!,
    start: start!,
    end: end!,
    slot: slot!,
    otherStart: otherStart!,
    otherEnd: otherEnd!,
    otherSlot: otherSlot!,
    isSubtracted: isSubtracted === 1,
    node: sums(9),
    other: sums(15),
  };
}

/** A part of the rows that begins and ends at even numbers, because two rows are worked on at a time. */
function evenShare(rows: number, part: number, parts: number): [start: number, end: number] {
  const twos = pairRows(rows) / 2;
  return [2 * Math.floor((twos * part) / parts), 2 * Math.floor((twos * (part + 1)) / parts)];
}
