import type { Code, FunctionSource, Variable, WasmMemory } from '../wasm/assembler.js';
import {
  assembleModule,
  declareFunction,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  i64,
  i64x2,
  instantiate,
  loopWhile,
  v128,
  when,
} from '../wasm/assembler.js';
import type { GradientPlan } from './gradient-plan.js';
import { BATCH_ROWS, BIN_BYTES } from './gradient-plan.js';

/**
 * The inner loops of boosting as WebAssembly, written out for one plan: which columns there are and where they lie are constants
 * of the code. All numbers are addresses in bytes unless said otherwise.
 */
export interface GradientKernels {
  /** Adds the rows listed in [start, end) to the histograms of block `b` in the thread's scratch region. */
  [histogram: `histogram${number}`]: (start: number, end: number) => void;
  /** The same for one column, column by column, into any histogram. */
  histogramColumn: (start: number, end: number, bins: number, histogram: number) => void;
  /** Adds the counts in [start, end) to others, leaving zeros. */
  merge: (start: number, end: number, to: number) => void;
  /** Moves the counts in [start, end) to another place, leaving zeros, and takes them away from those at `from`, if that is not 0. */
  distribute: (start: number, end: number, to: number, from: number) => void;
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
  /**
   * First and second derivatives of the log loss of two classes for the rows whose margins stand in [margins, end), two rows at a
   * time, as pairs of floats. The largest absolute gradient and the largest hessian come as two doubles each to `most`.
   */
  deriveLogistic: (margins: number, end: number, targets: number, weights: number, pairs: number, most: number) => void;
  /** Turns the pairs of floats in [pairs, end), two rows at a time, into whole numbers of units, and writes them to each record. */
  quantise: (
    pairs: number,
    end: number,
    counts: number,
    record: number,
    recordBytes: number,
    gradientUnit: number,
    hessianUnit: number,
  ) => void;
  /** Adds a value to the margin of each row listed. */
  addToMargins: (start: number, end: number, margins: number, value: number) => void;
}

/** Assembles and binds the kernels of a plan for one of its threads. */
export function bindKernels(plan: GradientPlan, memory: WasmMemory, part: number): GradientKernels {
  const functions = [
    columnHistogram(plan),
    merging(),
    distribution(),
    partition(plan),
    scan(plan),
    addition(plan),
    logisticDerivatives(plan),
    quantisation(plan),
  ];
  for (let block = 0; block + 1 < plan.blocks.length; block++) functions.push(blockHistogram(plan, block, part));
  return instantiate<GradientKernels>(assembleModule(functions, plan.pages, plan.isShared), memory);
}

/** The two numbers that a row adds to each of its bins: its gradient, and its hessian above its count. */
function readPair(plan: GradientPlan, record: Variable, bytes: number, pair: Variable): Code[] {
  const counts = plan.hasCounts
    ? i64x2.replace(v128.constInt64(0n, 0n), 1, i64.load32(record.get, bytes - 12))
    : v128.constInt64(0n, 1n);
  const shifted = i64x2.shl(pair.get, i32.const(plan.countBits));
  return [
    pair.set(v128.loadPair32(record.get, bytes - 8)),
    pair.set(i64x2.add(v128.lowOfFirstHighOfSecond(pair.get, shifted), counts)),
  ];
}

/**
 * Two loops in turn: one copies the records of some rows to one place, the other counts them there. The first is so short that
 * the machine waits for a dozen cache misses at once instead of for two or three.
 */
function blockHistogram(plan: GradientPlan, block: number, part: number): FunctionSource {
  const first = plan.blocks[block]!;
  const width = plan.blocks[block + 1]! - first;
  const bytes = plan.recordBytes[block]!;
  const batchAt = plan.at.batch + part * BATCH_ROWS * 64;
  const scratch = plan.at.scratch + part * plan.histogramOffsets[plan.columns]!;
  return declareFunction(`histogram${block}`, ['i32', 'i32'], ([next, end], local) => {
    const [record, to, stop] = [local('i32'), local('i32'), local('i32')];
    const [pair, bin] = [local('v128'), local('i32')];
    const copies = Array.from({ length: bytes / 16 }, (_, k) =>
      v128.store(to.get, v128.load(record.get, plan.recordsAt[block]! + 16 * k), 16 * k),
    );
    const gather = loopWhile(i32.lessUnsigned(next!.get, stop.get), [
      record.set(i32.mul(i32.load(next!.get), i32.const(bytes))),
      ...copies,
      to.increase(bytes),
      next!.increase(4),
    ]);
    const count = readPair(plan, record, bytes, pair);
    for (let column = 0; column < width; column++) {
      const histogram = scratch + plan.histogramOffsets[first + column]!;
      count.push(
        bin.set(i32.shl(i32.load8(record.get, column), i32.const(4))),
        v128.store(bin.get, i64x2.add(v128.load(bin.get, histogram), pair.get), histogram),
      );
    }
    return [
      loopWhile(i32.lessUnsigned(next!.get, end!.get), [
        stop.set(i32.add(next!.get, i32.const(4 * BATCH_ROWS))),
        when(i32.greaterUnsigned(stop.get, end!.get), [stop.set(end!.get)]),
        to.set(i32.const(batchAt)),
        gather,
        record.set(i32.const(batchAt)),
        loopWhile(i32.lessUnsigned(record.get, to.get), [...count, record.increase(bytes)]),
      ]),
    ];
  });
}

function columnHistogram(plan: GradientPlan): FunctionSource {
  return declareFunction('histogramColumn', ['i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [next, end, bins, histogram] = parameters as [Variable, Variable, Variable, Variable];
    const [row, record, pair, bin] = [local('i32'), local('i32'), local('v128'), local('i32')];
    const bytes = plan.recordBytes[0]!;
    return [
      loopWhile(i32.lessUnsigned(next.get, end.get), [
        row.set(i32.load(next.get)),
        record.set(i32.add(i32.mul(row.get, i32.const(bytes)), i32.const(plan.recordsAt[0]!))),
        ...readPair(plan, record, bytes, pair),
        bin.set(i32.add(i32.shl(i32.load8(i32.add(bins.get, row.get)), i32.const(4)), histogram.get)),
        v128.store(bin.get, i64x2.add(v128.load(bin.get), pair.get)),
        next.increase(4),
      ]),
    ];
  });
}

function merging(): FunctionSource {
  return declareFunction('merge', ['i32', 'i32', 'i32'], (parameters, local) => {
    const [next, end, to] = parameters as [Variable, Variable, Variable];
    const nothing = local('v128');
    return [
      loopWhile(i32.lessUnsigned(next.get, end.get), [
        v128.store(to.get, i64x2.add(v128.load(to.get), v128.load(next.get))),
        v128.store(next.get, nothing.get),
        next.increase(BIN_BYTES),
        to.increase(BIN_BYTES),
      ]),
    ];
  });
}

function distribution(): FunctionSource {
  return declareFunction('distribute', ['i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [next, end, to, from] = parameters as [Variable, Variable, Variable, Variable];
    const [bin, nothing] = [local('v128'), local('v128')];
    const turn = (isSubtracted: boolean): Code =>
      loopWhile(i32.lessUnsigned(next.get, end.get), [
        bin.set(v128.load(next.get)),
        v128.store(next.get, nothing.get),
        v128.store(to.get, bin.get),
        ...(isSubtracted
          ? [v128.store(from.get, i64x2.sub(v128.load(from.get), bin.get)), from.increase(BIN_BYTES)]
          : []),
        next.increase(BIN_BYTES),
        to.increase(BIN_BYTES),
      ]);
    // The second loop finds nothing left to do after the first.
    return [when(from.get, [turn(true)]), turn(false)];
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
    const [lowest, part, scale] = [local('i64'), local('f64'), local('f64')];
    // Cuts are compared as fractions, without dividing: behind an empty bin the same sums then compare as equal, to the bit.
    const under = local('f64');
    const gains: Code[] = [
      g.set(f64.fromInt64(i64x2.extract(sums.get, 0))),
      part.set(f64.sub(gradient!.get, g.get)),
      h.set(f64.add(h.get, l2!.get)),
      rest.set(f64.add(rest.get, l2!.get)),
      scale.set(f64.mul(h.get, rest.get)),
      gain.set(f64.add(f64.mul(f64.mul(g.get, g.get), rest.get), f64.mul(f64.mul(part.get, part.get), h.get))),
      when(f64.greater(f64.mul(gain.get, under.get), f64.mul(best!.get, scale.get)), [
        best!.set(gain.get),
        under.set(scale.get),
        bestAt.set(next!.get),
        bestSums.set(sums.get),
      ]),
    ];
    const low = i32.and(i32.wrap(lowest.get), i32.const(2 ** plan.countBits - 1));
    return [
      under.set(f64.const(1)),
      when(base!.get, [sums.set(v128.load(base!.get))]),
      end.set(i32.add(next!.get, i32.shl(cuts!.get, i32.const(4)))),
      // From here on the room above the least count: both sides have enough where the left one's surplus is within it.
      count!.set(i32.sub(count!.get, i32.shl(leastCount!.get, i32.const(1)))),
      loopWhile(i32.lessUnsigned(next!.get, end.get), [
        sums.set(i64x2.add(sums.get, v128.load(next!.get))),
        lowest.set(i64x2.extract(sums.get, 1)),
        when(i32.atMostUnsigned(i32.sub(low, leastCount!.get), count!.get), [
          h.set(f64.fromInt64(i64.shiftRight(lowest.get, i64.const(BigInt(plan.countBits))))),
          rest.set(f64.sub(hessian!.get, h.get)),
          when(f64.atLeast(f64.min(h.get, rest.get), leastHessian!.get), gains),
        ]),
        next!.increase(BIN_BYTES),
      ]),
      f64.store(found!.get, f64.div(best!.get, under.get)),
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

/** 1/n! for the series of the exponential: with 9 terms its error is below 1e-9 where it is used, far below that of a float. */
const SERIES = [1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40_320];
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** Added to a double, it leaves the nearest whole number in the low bits. */
const ROUNDING = 1.5 * 2 ** 52;

/** Makes numbers into pairs of doubles that are at hand: written out, each would cost three instructions every time. */
function createConstants(local: (type: 'v128') => Variable): { pair: (value: number) => Code; set: () => Code[] } {
  const known = new Map<number, Variable>();
  const pair = (value: number): Code => {
    const variable = known.get(value) ?? local('v128');
    known.set(value, variable);
    return variable.get;
  };
  return { pair, set: () => Array.from(known, ([value, variable]) => variable.set(f64x2.const(value))) };
}

/** e^x of two doubles within ±700: 2^n times a series of the rest (Tang 1989). */
function exponential(x: Variable, scaled: Variable, sum: Variable, pair: (value: number) => Code): Code[] {
  const whole = f64x2.sub(scaled.get, pair(ROUNDING));
  const series: Code[] = [sum.set(pair(SERIES.at(-1)!))];
  for (let n = SERIES.length - 2; n >= 0; n--)
    series.push(sum.set(f64x2.add(f64x2.mul(sum.get, x.get), pair(SERIES[n]!))));
  return [
    scaled.set(f64x2.add(f64x2.mul(x.get, pair(1 / Math.LN2)), pair(ROUNDING))),
    x.set(f64x2.sub(x.get, f64x2.mul(whole, pair(LN2_HIGH)))),
    x.set(f64x2.sub(x.get, f64x2.mul(whole, pair(LN2_LOW)))),
    ...series,
    // Adds n to the exponents.
    sum.set(i64x2.add(sum.get, i64x2.shl(scaled.get, i32.const(52)))),
  ];
}

function logisticDerivatives(plan: GradientPlan): FunctionSource {
  return declareFunction('deriveLogistic', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [next, end, targets, weights, pairs, most] = parameters as Variable[] & { length: 6 };
    const [x, scaled, sum] = [local('v128'), local('v128'), local('v128')];
    const [g, h, mostG, mostH] = [local('v128'), local('v128'), local('v128'), local('v128')];
    const weigh = (value: Code): Code => (plan.hasWeights ? f64x2.mul(value, v128.load(weights!.get)) : value);
    const { pair, set } = createConstants(local);
    const body = [
      x.set(f64x2.sub(pair(0), v128.load(next!.get))),
      x.set(f64x2.max(pair(-700), f64x2.min(pair(700), x.get))),
      ...exponential(x, scaled, sum, pair),
      x.set(f64x2.div(pair(1), f64x2.add(pair(1), sum.get))),
      g.set(weigh(f64x2.sub(x.get, v128.load(targets!.get)))),
      h.set(weigh(f64x2.mul(x.get, f64x2.sub(pair(1), x.get)))),
      mostG.set(f64x2.max(mostG.get, f64x2.abs(g.get))),
      mostH.set(f64x2.max(mostH.get, h.get)),
      v128.store(pairs!.get, v128.interleave32(f32x4.fromDoubles(g.get), f32x4.fromDoubles(h.get))),
      next!.increase(16),
      targets!.increase(16),
      weights!.increase(16),
      pairs!.increase(16),
    ];
    return [
      ...set(),
      loopWhile(i32.lessUnsigned(next!.get, end!.get), body),
      v128.store(most!.get, mostG.get),
      v128.store(most!.get, mostH.get, 16),
    ];
  });
}

function quantisation(plan: GradientPlan): FunctionSource {
  return declareFunction('quantise', ['i32', 'i32', 'i32', 'i32', 'i32', 'f64', 'f64'], (parameters, local) => {
    const [next, end, counts, record, step, gradientUnit, hessianUnit] = parameters as Variable[] & { length: 7 };
    const both = local('v128');
    const [units, count, leasts] = [local('v128'), local('v128'), local('v128')];
    const doubled = (unit: Variable): Code => f32x4.fromDoubles(f64x2.splat(unit.get));
    const rounded = i32x4.fromFloats(f32x4.nearest(f32x4.mul(v128.load(next!.get), units.get)));
    // A hessian of nothing would let a leaf divide by it.
    const least = -(2 ** 31);
    const pair = i32x4.max(rounded, leasts.get);
    const readCount = count.set(v128.loadHalf(counts!.get));
    // Rounded before it is counted: a row of weight 2 then weighs exactly as much as the row given twice.
    const counted = plan.hasCounts ? i32x4.mul(pair, v128.interleave32(count.get, count.get)) : pair;
    return [
      leasts.set(v128.constInt32(least, 1, least, 1)),
      units.set(v128.interleave32(doubled(gradientUnit!), doubled(hessianUnit!))),
      loopWhile(i32.lessUnsigned(next!.get, end!.get), [
        ...(plan.hasCounts ? [readCount] : []),
        both.set(counted),
        i64.store(record!.get, i64x2.extract(both.get, 0)),
        record!.set(i32.add(record!.get, step!.get)),
        i64.store(record!.get, i64x2.extract(both.get, 1)),
        record!.set(i32.add(record!.get, step!.get)),
        next!.increase(16),
        counts!.increase(8),
      ]),
    ];
  });
}
