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

/** The kinds of task, with their numbers. */
export const COUNT = 1; // first and last row in the order, parts that take part
export const SCAN = 2; // a `ScanTask`
export const PARTITION = 3; // first and last row in the order, column
export const DERIVE = 4;
export const QUANTISE = 5; // margin
export const UPDATE = 6; // leaves, margin

/** Where a task's numbers stand: its kind, then what is listed for each kind, then the units of the tree. */
export const TASK = { kind: 0, arguments: 1, gradientUnit: 30, hessianUnit: 31 } as const;

/** What is to be done with rows that were counted. */
export interface ScanTask {
  /** So many threads counted; 0 where nothing was. */
  counted: number;
  /** Where the counts are put, or -1. */
  slot: number;
  /** Where the histograms of the other node are or, if the counts are taken away from them, will be; or -1. */
  otherSlot: number;
  isSubtracted: boolean;
  /** The nodes whose histograms then stand in those two places; null where nobody looks for how to split one. */
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
    private readonly thread: number,
  ) {
    const { plan, rules } = job;
    this.kernels = bindKernels(plan, memory, thread);
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
      case COUNT:
        return this.count(part);
      case SCAN:
        return this.scan(part, parts);
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

  /** Counts a share of the rows into this thread's own histograms: all columns row by row, or the active ones where they are few. */
  private count(part: number): void {
    const [, start, end, parts] = this.task as unknown as [number, number, number, number];
    if (part >= parts) return;
    const { plan } = this.job;
    const { at, blocks, histogramOffsets, columns } = plan;
    const from = at.order + 4 * (start + Math.floor(((end - start) * part) / parts));
    const to = at.order + 4 * (start + Math.floor(((end - start) * (part + 1)) / parts));
    const scratch = at.scratch + this.thread * histogramOffsets[columns]!;
    for (let block = 0; block + 1 < blocks.length; block++) {
      const [first, last] = [blocks[block]!, blocks[block + 1]!];
      let active = 0;
      for (let column = first; column < last; column++) active += this.bytes[at.active + column]!;
      if (2 * active >= last - first) this.kernels[`histogram${block}`]!(from, to);
      else
        for (let column = first; column < last; column++) {
          if (this.bytes[at.active + column] === 0) continue;
          this.kernels.histogramColumn(
            from,
            to,
            at.columnBins + column * plan.rows,
            scratch + histogramOffsets[column]!,
          );
        }
    }
  }

  /** Brings the counts of a share of the columns to where they stay, and looks for splits by them. */
  private scan(part: number, parts: number): void {
    const { at, histogramOffsets, columns } = this.job.plan;
    const task = readScanTask(this.task);
    const rules = this.scanRules();
    const first = Math.floor((columns * part) / parts);
    const end = Math.floor((columns * (part + 1)) / parts);
    if (task.counted > 0) {
      const [from, to] = [histogramOffsets[first]!, histogramOffsets[end]!];
      for (let thread = 1; thread < task.counted; thread++) {
        const scratch = at.scratch + thread * histogramOffsets[columns]!;
        this.kernels.merge(scratch + from, scratch + to, at.scratch + from);
      }
      const parent = task.isSubtracted ? this.slotAt(task.otherSlot) + from : 0;
      this.kernels.distribute(at.scratch + from, at.scratch + to, this.slotAt(task.slot) + from, parent);
    }
    if (task.node) this.scanColumns(0, task.slot, task.node, first, end, rules);
    if (task.other) this.scanColumns(1, task.otherSlot, task.other, first, end, rules);
  }

  private slotAt(slot: number): number {
    const { at, histogramOffsets, columns } = this.job.plan;
    return at.histograms + slot * histogramOffsets[columns]!;
  }

  private scanColumns(which: number, slot: number, node: NodeSums, first: number, end: number, rules: ScanRules): void {
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

  /** Turns the derivatives of one margin from 32-bit floats into whole numbers of units, in the records of their rows. */
  private quantise(part: number, parts: number): void {
    const { at, rows, blocks, recordsAt, recordBytes } = this.job.plan;
    const margin = this.task[TASK.arguments]!;
    const [gradientUnit, hessianUnit] = [this.task[TASK.gradientUnit]!, this.task[TASK.hessianUnit]!];
    const [start, end] = evenShare(rows, part, parts);
    const pairs = at.pairs + 8 * margin * pairRows(rows);
    for (let block = 0; block + 1 < blocks.length; block++) {
      const bytes = recordBytes[block]!;
      const record = recordsAt[block]! + start * bytes + bytes - 8;
      const [from, to, counts] = [pairs + 8 * start, pairs + 8 * end, at.counts + 4 * start];
      this.kernels.quantise(from, to, counts, record, bytes, gradientUnit, hessianUnit);
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

/** Writes a task of the kind SCAN. */
export function writeScanTask(
  numbers: Float64Array,
  { counted, slot, otherSlot, isSubtracted, node, other }: ScanTask,
): void {
  numbers.set([SCAN, counted, slot, otherSlot, isSubtracted ? 1 : 0, ...listSums(node), ...listSums(other)]);
}

function listSums(node: NodeSums | null): number[] {
  return node ? [1, node.gradient, node.hessian, node.count, node.lower, node.upper] : [0, 0, 0, 0, 0, 0];
}

function readScanTask(numbers: Float64Array): ScanTask {
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
    counted: numbers[1]!,
    slot: numbers[2]!,
    otherSlot: numbers[3]!,
    isSubtracted: numbers[4] === 1,
    node: sums(5),
    other: sums(11),
  };
}

/** A part of the rows that begins and ends at even numbers, because two rows are worked on at a time. */
function evenShare(rows: number, part: number, parts: number): [start: number, end: number] {
  const twos = pairRows(rows) / 2;
  return [2 * Math.floor((twos * part) / parts), 2 * Math.floor((twos * (part + 1)) / parts)];
}
