import type { Code, FunctionSource, Variable, WasmMemory } from '../wasm/assembler.js';
import {
  assembleModule,
  declareFunction,
  f64,
  f64x2,
  i32,
  i64,
  i64x2,
  instantiate,
  loopWhile,
  v128,
  when,
} from '../wasm/assembler.js';
import type { GradientPlan } from './gradient-plan.js';
import { BIN_BYTES } from './gradient-plan.js';

/**
 * The inner loops of boosting as WebAssembly, written out for one plan: which columns there are and where they lie are constants
 * of the code. All numbers are addresses in bytes unless said otherwise.
 */
export interface GradientKernels {
  /** Adds the rows listed in [start, end) to the empty histograms of block `b` in the scratch region. */
  [histogram: `histogram${number}`]: (start: number, end: number, pairs: number) => void;
  /** The same for one column, column by column, into any histogram. */
  histogramColumn: (start: number, end: number, pairs: number, bins: number, histogram: number) => void;
  /** Takes one histogram of `bytes` away from another. */
  subtract: (from: number, what: number, bytes: number) => void;
  /**
   * Moves rows whose bin the table sends left to the front of [start, end), in their order, and writes the others in their
   * order to `spare`. @returns the end of the left ones
   */
  partition: (start: number, end: number, spare: number, bins: number) => number;
  /**
   * Finds the best cut of one numeric column: tries `cuts` bins as the last on the left, beginning with what `base` points at
   * (the missing values, or 0 for nothing). A cut must beat `floor` and leave each side `leastCount` rows and `leastHessian`.
   * Writes gain and address of the bin, and the sums on the left, to `found`, and 0 where nothing beats it.
   */
  scan: (
    histogram: number,
    cuts: number,
    base: number,
    gradient: number,
    hessian: number,
    count: number,
    l2: number,
    leastHessian: number,
    leastCount: number,
    floor: number,
    found: number,
  ) => void;
  /** Adds a value to the margin of each row listed. */
  addToMargins: (start: number, end: number, margins: number, value: number) => void;
}

/** Assembles and binds the kernels of a plan. */
export function bindKernels(plan: GradientPlan, memory: WasmMemory): GradientKernels {
  const functions = [columnHistogram(plan), subtraction(), partition(plan), scan(plan), addition(plan)];
  for (let block = 0; block + 1 < plan.blocks.length; block++) functions.push(blockHistogram(plan, block));
  return instantiate<GradientKernels>(assembleModule(functions, plan.pages, plan.isShared), memory);
}

/** The two numbers that a row adds to each of its bins: its gradient, and its hessian above its count. */
function rowPair(plan: GradientPlan, row: Variable, pairs: Variable, pair: Variable): Code[] {
  const counts = plan.hasCounts
    ? i64x2.replace(v128.constInt64(0n, 0n), 1, i64.load32(i32.shl(row.get, i32.const(2)), plan.at.counts))
    : v128.constInt64(0n, 1n);
  const shifted = i64x2.shl(pair.get, i32.const(plan.countBits));
  return [
    pair.set(v128.loadPair32(i32.add(i32.shl(row.get, i32.const(3)), pairs.get))),
    pair.set(i64x2.add(v128.lowOfFirstHighOfSecond(pair.get, shifted), counts)),
  ];
}

function blockHistogram(plan: GradientPlan, block: number): FunctionSource {
  const first = plan.blocks[block]!;
  const width = plan.blocks[block + 1]! - first;
  const binsAt = plan.at.blockBins + first * plan.rows;
  return declareFunction(`histogram${block}`, ['i32', 'i32', 'i32'], ([next, end, pairs], local) => {
    const [row, pair, cells, bin] = [local('i32'), local('v128'), local('i32'), local('i32')];
    const body = [
      row.set(i32.load(next!.get)),
      ...rowPair(plan, row, pairs!, pair),
      cells.set(i32.mul(row.get, i32.const(width))),
    ];
    for (let column = 0; column < width; column++) {
      const histogram = plan.at.scratch + plan.histogramOffsets[first + column]!;
      body.push(
        bin.set(i32.shl(i32.load8(cells.get, binsAt + column), i32.const(4))),
        v128.store(bin.get, i64x2.add(v128.load(bin.get, histogram), pair.get), histogram),
      );
    }
    body.push(next!.increase(4));
    return [loopWhile(i32.lessUnsigned(next!.get, end!.get), body)];
  });
}

function columnHistogram(plan: GradientPlan): FunctionSource {
  return declareFunction('histogramColumn', ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [next, end, pairs, bins, histogram] = parameters as [Variable, Variable, Variable, Variable, Variable];
    const [row, pair, bin] = [local('i32'), local('v128'), local('i32')];
    return [
      loopWhile(i32.lessUnsigned(next.get, end.get), [
        row.set(i32.load(next.get)),
        ...rowPair(plan, row, pairs, pair),
        bin.set(i32.add(i32.shl(i32.load8(i32.add(bins.get, row.get)), i32.const(4)), histogram.get)),
        v128.store(bin.get, i64x2.add(v128.load(bin.get), pair.get)),
        next.increase(4),
      ]),
    ];
  });
}

function subtraction(): FunctionSource {
  return declareFunction('subtract', ['i32', 'i32', 'i32'], ([from, what, bytes], local) => {
    const end = local('i32');
    return [
      end.set(i32.add(from!.get, bytes!.get)),
      loopWhile(i32.lessUnsigned(from!.get, end.get), [
        v128.store(from!.get, i64x2.sub(v128.load(from!.get), v128.load(what!.get))),
        from!.increase(BIN_BYTES),
        what!.increase(BIN_BYTES),
      ]),
    ];
  });
}

function partition(plan: GradientPlan): FunctionSource {
  return declareFunction(
    'partition',
    ['i32', 'i32', 'i32', 'i32'],
    (parameters, local) => {
      const [next, end, right, bins] = parameters as [Variable, Variable, Variable, Variable];
      const [row, side, left] = [local('i32'), local('i32'), local('i32')];
      return [
        left.set(next.get),
        // Both sides are written every time, because a branch would be mispredicted half of the time.
        loopWhile(i32.lessUnsigned(next.get, end.get), [
          row.set(i32.load(next.get)),
          side.set(i32.load8(i32.load8(i32.add(bins.get, row.get)), plan.at.table)),
          i32.store(left.get, row.get),
          i32.store(right.get, row.get),
          left.set(i32.add(left.get, side.get)),
          right.set(i32.sub(i32.add(right.get, i32.const(4)), side.get)),
          next.increase(4),
        ]),
        left.get,
      ];
    },
    'i32',
  );
}

function scan(plan: GradientPlan): FunctionSource {
  const types = ['i32', 'i32', 'i32', 'f64', 'f64', 'i32', 'f64', 'f64', 'i32', 'f64', 'i32'] as const;
  return declareFunction('scan', [...types], (parameters, local) => {
    const [next, cuts, base, gradient, hessian, count, l2, leastHessian, leastCount, best, found] =
      parameters as Variable[] & { length: 11 };
    const [sums, bestSums, bestAt, end] = [local('v128'), local('v128'), local('i32'), local('i32')];
    const [g, h, rest, gain] = [local('f64'), local('f64'), local('f64'), local('f64')];
    const both = local('v128');
    const low = i32.and(i32.wrap(i64x2.extract(sums.get, 1)), i32.const(2 ** plan.countBits - 1));
    const sides = (left: Code, right: Code): Code => f64x2.replace(f64x2.splat(left), 1, right);
    const gains: Code[] = [
      g.set(f64.fromInt64(i64x2.extract(sums.get, 0))),
      both.set(sides(g.get, f64.sub(gradient!.get, g.get))),
      both.set(f64x2.div(f64x2.mul(both.get, both.get), f64x2.add(sides(h.get, rest.get), f64x2.splat(l2!.get)))),
      gain.set(f64.add(f64x2.extract(both.get, 0), f64x2.extract(both.get, 1))),
      when(f64.greater(gain.get, best!.get), [best!.set(gain.get), bestAt.set(next!.get), bestSums.set(sums.get)]),
    ];
    return [
      when(base!.get, [sums.set(v128.load(base!.get))]),
      end.set(i32.add(next!.get, i32.shl(cuts!.get, i32.const(4)))),
      // From here on the room above the least count: both sides have enough where the left one's surplus is within it.
      count!.set(i32.sub(count!.get, i32.shl(leastCount!.get, i32.const(1)))),
      loopWhile(i32.lessUnsigned(next!.get, end.get), [
        sums.set(i64x2.add(sums.get, v128.load(next!.get))),
        when(i32.atMostUnsigned(i32.sub(low, leastCount!.get), count!.get), [
          h.set(f64.fromInt64(i64.shiftRight(i64x2.extract(sums.get, 1), i64.const(BigInt(plan.countBits))))),
          rest.set(f64.sub(hessian!.get, h.get)),
          when(f64.atLeast(f64.min(h.get, rest.get), leastHessian!.get), gains),
        ]),
        next!.increase(BIN_BYTES),
      ]),
      f64.store(found!.get, best!.get),
      i32.store(found!.get, bestAt.get, 8),
      v128.store(found!.get, bestSums.get, 16),
    ];
  });
}

function addition(plan: GradientPlan): FunctionSource {
  return declareFunction('addToMargins', ['i32', 'i32', 'i32', 'f64'], (parameters, local) => {
    const [next, end, margins, value] = parameters as [Variable, Variable, Variable, Variable];
    const cell = local('i32');
    return [
      loopWhile(i32.lessUnsigned(next.get, end.get), [
        cell.set(i32.add(i32.mul(i32.load(next.get), i32.const(8 * plan.margins)), margins.get)),
        f64.store(cell.get, f64.add(f64.load(cell.get), value.get)),
        next.increase(4),
      ]),
    ];
  });
}
