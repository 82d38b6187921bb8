import { expect, it } from 'vitest';
import { layOutTabular, type TabularDescription } from '../../../ml/neural/tabular-network.js';
import { createPrng } from '../../../ml/random/prng.js';
import { networkHead } from '../../../services/kinds/tabular/network-head.js';

it('heads of one network answer each row as it is, in whatever order they are asked about which', () => {
  const prng = createPrng(4);
  const description: TabularDescription = {
    kind: 'tabular',
    columns: Array.from({ length: 3 }, () => ({ kind: 'number', centre: 0, inverseScale: 1, hasMissing: true })),
    bound: 5,
    hidden: [6],
    isWide: true,
    heads: [
      { name: 'two', kind: 'binary' },
      { name: 'three', kind: 'ordered', classes: 3 },
      { name: 'value', kind: 'regression', centre: 1, scale: 2 },
    ],
  };
  const weights = Float32Array.from({ length: layOutTabular(description).size }, () => prng.nextGaussian());
  const network = { description, weights };
  const heads = description.heads.map((_, index) => networkHead(network, index));
  const rows = [
    [1, NaN, -0],
    [1, NaN, 0],
    [1, 2, 3],
    [NaN, NaN, NaN],
  ];
  const values = Float64Array.from({ length: 12 }, (_, at) => rows[at % 4]![Math.floor(at / 4)]!);
  const expected = heads.map((head) => head.predict({ rows: 4, columns: 3, values }));
  // One buffer for all rows, as requests have it.
  const row = new Float64Array(3);
  for (let ask = 0; ask < 200; ask++) {
    const at = prng.nextInt(4);
    const index = prng.nextInt(3);
    const { outputs } = heads[index]!;
    const out = new Float64Array(outputs);
    row.set(rows[at]!);
    heads[index]!.predictRow(row, out);
    expect([...out]).toEqual([...expected[index]!.subarray(at * outputs, (at + 1) * outputs)]);
  }
});
