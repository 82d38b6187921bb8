import type { EventSequences } from '../../../ml/neural/event-sequences.js';
import type { TabularDescription, TabularHead, TabularNetwork } from '../../../ml/neural/tabular-network.js';
import { layOutTabular } from '../../../ml/neural/tabular-network.js';
import type { TabularColumn } from '../../../ml/neural/tabular-input.js';
import { createPrng } from '../../../ml/random/prng.js';
import { matrixOf } from './matrix-of.js';

/** A table whose truths follow from its columns: two numbers, a category of five, some gaps. */
export function makeTable(rows: number, seed: number) {
  const prng = createPrng(seed);
  const effects = [-1.5, -0.5, 0, 0.8, 1.4];
  const cells: number[][] = [];
  const scores: number[] = [];
  for (let row = 0; row < rows; row++) {
    const a = prng.nextGaussian();
    const b = prng.nextGaussian();
    const c = prng.nextInt(5);
    scores.push(1.5 * a * b + effects[c]!);
    cells.push([prng.next() < 0.1 ? NaN : a, 1000 + 50 * b, c]);
  }
  const noisy = scores.map((score) => score + 0.3 * prng.nextGaussian());
  return {
    matrix: matrixOf(cells),
    cells,
    categories: [0, 0, 5],
    binary: Float64Array.from(noisy, (score) => (score > 0 ? 1 : 0)),
    ordered: Float64Array.from(noisy, (score) => (score < -1 ? 0 : score < 0 ? 1 : score < 1 ? 2 : 3)),
    multiclass: Float64Array.from(noisy, (score) => (Math.abs(score) < 0.7 ? 0 : score > 0 ? 1 : 2)),
    number: Float64Array.from(noisy, (score) => 300 + 20 * score),
  };
}

/** A network with random weights and all kinds of columns and heads that `seed` happens to give. */
export function makeRandomNetwork(seed: number): TabularNetwork {
  const prng = createPrng(seed, 7);
  const columns = Array.from({ length: 1 + prng.nextInt(6) }, (): TabularColumn => {
    if (prng.next() < 0.4) return { kind: 'category', categories: 1 + prng.nextInt(6), width: 1 + prng.nextInt(4) };
    return { kind: 'number', centre: prng.nextGaussian(), inverseScale: prng.next(), hasMissing: prng.next() < 0.5 };
  });
  const kinds: TabularHead[] = [
    { name: 'binary', kind: 'binary' },
    { name: 'multiclass', kind: 'multiclass', classes: 1 + prng.nextInt(5) },
    { name: 'ordered', kind: 'ordered', classes: 2 + prng.nextInt(4) },
    { name: 'number', kind: 'regression', centre: 1, scale: 2 },
  ];
  const description: TabularDescription = {
    kind: 'tabular',
    columns,
    bound: 3,
    hidden: Array.from({ length: prng.nextInt(4) }, () => 1 + prng.nextInt(12)),
    isWide: prng.next() < 0.5,
    heads: kinds.filter((_, i) => i === seed % 4 || prng.next() < 0.6),
  };
  const weights = Float32Array.from({ length: layOutTabular(description).size }, () => prng.nextGaussian() / 2);
  return { description, weights };
}

/** Sequences of three activities where 0 and 1 alternate and 2 comes after three others, with times an hour apart. */
export function makeSequences(count: number, seed: number, flipAt = Infinity): EventSequences {
  const prng = createPrng(seed, 9);
  const codes: number[] = [];
  const times: number[] = [];
  const offsets = [0];
  for (let i = 0; i < count; i++) {
    let code = prng.nextInt(2);
    const length = 2 + prng.nextInt(5);
    for (let event = 0; event < length; event++) {
      codes.push(event === 3 ? 2 : code);
      times.push((i + event) * 3_600_000);
      if (event !== 3) code = prng.next() < 0.9 === i < flipAt ? 1 - code : code;
    }
    offsets.push(codes.length);
  }
  return {
    activities: 3,
    hasEnd: true,
    offsets: Uint32Array.from(offsets),
    codes: Int32Array.from(codes),
    times: Float64Array.from(times),
  };
}
