/**
 * Measures what it gains to answer rows by a network together: networks of three heads on 26 columns, asked by each head for itself, once for
 * all heads of a row as single requests do, and for many rows as a batch. Processor microseconds a row on one thread, and how many answers
 * differ, as JSON lines.
 *
 * Run: node dist/bench/batch-network.js [--rows 4096] [--repeats 7]
 */
import { parseArgs } from 'node:util';
import { median } from '../ml/evaluate/median.js';
import type { FeatureMatrix } from '../ml/matrix.js';
import { layOutTabular, tabularOutputs, type TabularDescription } from '../ml/neural/tabular-network.js';
import { predictTabularNetwork, predictTabularNetworkRow } from '../ml/neural/tabular-prediction.js';
import { networkHead } from '../services/kinds/tabular/network-head.js';
import { createPrng } from '../ml/random/prng.js';

const COLUMNS = 26;
const HIDDEN = [
  [32, 16],
  [64, 32],
  [256, 128],
];

function timeRows(rows: number, repeats: number, answer: () => void): number {
  answer();
  const times = Array.from({ length: repeats }, () => {
    const before = process.cpuUsage();
    answer();
    return process.cpuUsage(before).user / rows;
  });
  return Math.round(median(times) * 100) / 100;
}

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '4096' }, repeats: { type: 'string', default: '7' } },
});
const rows = Number(values.rows);
const repeats = Number(values.repeats);
const prng = createPrng(11);
const x: FeatureMatrix = {
  rows,
  columns: COLUMNS,
  values: Float64Array.from({ length: rows * COLUMNS }, () => prng.nextGaussian()),
};
for (const hidden of HIDDEN) {
  const description: TabularDescription = {
    kind: 'tabular',
    columns: Array.from({ length: COLUMNS }, () => ({ kind: 'number', centre: 0, inverseScale: 1, hasMissing: true })),
    bound: 5,
    hidden,
    isWide: false,
    heads: [
      { name: 'two', kind: 'binary' },
      { name: 'three', kind: 'multiclass', classes: 3 },
      { name: 'eight', kind: 'multiclass', classes: 8 },
    ],
  };
  const weights = Float32Array.from({ length: layOutTabular(description).size }, () => 0.2 * prng.nextGaussian());
  const network = { description, weights };
  const width = tabularOutputs(description);
  const alone = new Float64Array(rows * width);
  const row = new Float64Array(COLUMNS);
  const out = new Float64Array(width);
  const one = timeRows(rows, repeats, () => {
    for (let at = 0; at < rows; at++) {
      for (let column = 0; column < COLUMNS; column++) row[column] = x.values[column * rows + at]!;
      const own = alone.subarray(at * width, (at + 1) * width);
      // Each head asks the network on its own.
      for (let head = 0; head < description.heads.length; head++) predictTabularNetworkRow(network, row, own);
    }
  });
  const heads = description.heads.map((_, index) => networkHead(network, index));
  const single = timeRows(rows, repeats, () => {
    for (let at = 0; at < rows; at++) {
      for (let column = 0; column < COLUMNS; column++) row[column] = x.values[column * rows + at]!;
      for (const head of heads) head.predictRow(row, out);
    }
  });
  let together: Float64Array = new Float64Array(0);
  const batch = timeRows(rows, repeats, () => (together = predictTabularNetwork(network, x)));
  const line = {
    name: 'batch-network',
    hidden,
    head_by_head_us: one,
    row_by_row_us: single,
    together_us: batch,
    gain_of_heads: Math.round((one / single) * 10) / 10,
    gain_of_rows: Math.round((single / batch) * 10) / 10,
    answers_that_differ: alone.reduce((sum, value, at) => sum + (Object.is(value, together[at]) ? 0 : 1), 0),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
