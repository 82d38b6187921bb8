import { describe, expect, it } from 'vitest';
import { optimizeSchema, type Optimize } from '../../../core/schemas/optimize.js';
import { encodePacked, decodePacked } from '../../../ml/compact/packed-file.js';
import { decodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { decodeForest } from '../../../ml/ensemble/forest-format.js';
import { roundCount } from '../../../ml/ensemble/boosting-model.js';
import { treeCount } from '../../../ml/ensemble/forest.js';
import { decodeNetwork, encodeNetwork } from '../../../ml/neural/network-format.js';
import { layOutTabular, type TabularNetwork } from '../../../ml/neural/tabular-network.js';
import { encodeTable, fitTableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { createPrng } from '../../../ml/random/prng.js';
import { fitHead } from '../../../services/kinds/tabular/fit-head.js';
import { headInput, type TabularBody } from '../../../services/kinds/tabular/fit-model.js';
import { decodeHead, type HeadAlgorithm } from '../../../services/kinds/tabular/head-model.js';
import { optimizeHead } from '../../../services/kinds/tabular/optimize-head.js';
import { tryVariants } from '../../../services/kinds/tabular/try-variant.js';
import { rowsOf, type TrainingTable } from '../../../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';
import { mixedRows, tabularBundle, type TestedAlgorithm } from '../../support/tabular-bundle.js';

const asked = (optimize: object): Optimize => optimizeSchema.parse(optimize);

/** A fitted head as its file has it, and rows that it could be asked about. */
function storedHead(algorithm: TestedAlgorithm, classes: number): ReturnType<typeof fitStored> {
  const name = `${algorithm} ${classes}`;
  const found = stored.get(name) ?? fitStored(algorithm, classes);
  stored.set(name, found);
  return found;
}
const stored = new Map<string, ReturnType<typeof fitStored>>();

async function fitStored(algorithm: TestedAlgorithm, classes: number) {
  const bundle = await tabularBundle(algorithm, classes);
  const { encoder } = bundle.manifest.body as TabularBody;
  const rows = mixedRows(200, 9);
  const columns = Object.keys(rows[0]!).map((name) => ({
    name,
    values: rows.map((row) => row[name as keyof (typeof rows)[number]]),
  }));
  return { bytes: bundle.files.get('head.model')!, x: encodeTable(encoder, columns) };
}

/** The head of a blend is JSON of its own. */
const REFUSED = /not a readable|of a blend|JSON|Unexpected/;
const largest = (a: Float64Array, b: Float64Array) =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

describe.each([
  ['random_forest', 0],
  ['random_forest', 2],
  ['random_forest', 4],
  ['gradient_boosting', 0],
  ['gradient_boosting', 2],
  ['gradient_boosting', 4],
  ['blend', 2],
  ['neural_network', 4],
] as const)('a quantised %s of %i classes', (algorithm, classes) => {
  it('is smaller, answers nearly the same, more so with more bits, and is written again as it was read', async () => {
    const { bytes, x } = await storedHead(algorithm, classes);
    const full = decodeHead(algorithm, bytes);
    const answers = full.predict(x);
    const spread = Math.max(...answers) - Math.min(...answers);
    const off = (['int16', 'int8'] as const).map((quantize) => {
      const small = optimizeHead(algorithm, bytes, asked({ quantize }))!;
      const model = decodeHead(algorithm, small);
      expect(small.length).toBeLessThan((quantize === 'int8' ? 0.6 : 0.75) * bytes.length);
      expect([...model.encode()]).toEqual([...small]);
      // As a file is read: somewhere in a larger buffer.
      const read = Buffer.concat([Buffer.alloc(3), small]).subarray(3);
      expect([...decodeHead(algorithm, read).predict(x)]).toEqual([...model.predict(x)]);
      return largest(model.predict(x), answers) / spread;
    });
    expect(off[0]).toBeLessThan(2e-3);
    expect(off[1]).toBeLessThan(0.1);
    expect(off[0]!).toBeLessThanOrEqual(off[1]!);
  });

  it('answers a single row as it answers many, and explains it so that the contributions add up', async () => {
    const { bytes, x } = await storedHead(algorithm, classes);
    const model = decodeHead(algorithm, optimizeHead(algorithm, bytes, asked({ quantize: 'int8', prune: 0.3 }))!);
    const all = model.predict(x);
    const out = new Float64Array(model.outputs);
    for (const row of [0, 77, 199]) {
      const values = Float64Array.from({ length: x.columns }, (_, column) => x.values[column * x.rows + row]!);
      model.predictRow(values, out);
      expect([...out]).toEqual([...all.subarray(row * model.outputs, (row + 1) * model.outputs)]);
      if (classes > 0) expect(out.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      const { base, raw, contributions } = model.explainRow(values);
      for (let o = 0; o < base.length; o++) {
        const own = contributions.subarray(o * x.columns, (o + 1) * x.columns);
        expect(base[o]! + own.reduce((sum, part) => sum + part, 0)).toBeCloseTo(raw[o]!, 6);
      }
    }
  });

  it('is refused when a byte of its file has changed, or when it was cut short', async () => {
    const { bytes } = await storedHead(algorithm, classes);
    const small = optimizeHead(algorithm, bytes, asked({ quantize: 'int8' }))!;
    for (const at of [40, small.length >> 1, small.length - 1]) {
      const damaged = small.slice();
      damaged[at]! ^= 0x10;
      expect(() => decodeHead(algorithm, damaged)).toThrow(REFUSED);
    }
    expect(() => decodeHead(algorithm, small.subarray(0, small.length - 8))).toThrow(REFUSED);
  });
});

describe('pruning', () => {
  it('leaves out the last trees of a forest and the last rounds of boosting, and no other', async () => {
    const forest = await storedHead('random_forest', 2);
    const kept = decodeForest(optimizeHead('random_forest', forest.bytes, asked({ prune: 0.75 }))!);
    const all = decodeForest(forest.bytes);
    expect([treeCount(all), treeCount(kept)]).toEqual([20, 5]);
    expect([...kept.threshold]).toEqual([...all.threshold.subarray(0, all.treeOffsets[5])]);
    const boosting = await storedHead('gradient_boosting', 4);
    const before = decodeBoosting(boosting.bytes);
    const after = decodeBoosting(optimizeHead('gradient_boosting', boosting.bytes, asked({ prune: 0.5 }))!);
    expect(roundCount(after)).toBe(Math.ceil(roundCount(before) / 2));
  });

  it('leaves out the hidden units of a network that carry nothing first, without a change of the answers', async () => {
    const { bytes, x } = await storedHead('neural_network', 4);
    const network = decodeNetwork(bytes) as TabularNetwork;
    expect(network.description.hidden).toEqual([16, 8]);
    // The units at the end of both layers reach nothing.
    const second = layOutTabular(network.description).blocks.find(({ name }) => name === 'hidden.1')!;
    network.weights.fill(0, second.offset + 12 * second.columns, second.offset + 16 * second.columns);
    const output = layOutTabular(network.description).blocks.find(({ name }) => name === 'output')!;
    network.weights.fill(0, output.offset + 6 * output.columns, output.offset + 8 * output.columns);
    const idle = encodeNetwork(network);
    const smaller = optimizeHead('neural_network', idle, asked({ prune: 0.25 }))!;
    expect((decodeNetwork(smaller) as TabularNetwork).description.hidden).toEqual([12, 6]);
    const answers = decodeHead('neural_network', smaller).predict(x);
    expect(largest(answers, decodeHead('neural_network', idle).predict(x))).toBeLessThan(1e-9);
  });

  it('has nothing to leave out of a linear model', async () => {
    const { bytes } = await storedHead('linear', 2);
    expect(optimizeHead('linear', bytes, asked({ prune: 0.5, quantize: 'int8' }))).toBeUndefined();
  });
});

describe('a packed file whose checksum is right', () => {
  const forest = async () =>
    optimizeHead('random_forest', (await storedHead('random_forest', 4)).bytes, asked({ quantize: 'int8' }))!;
  const names = ['features', 'answers'];

  it.each([
    ['columns that are not there', 'features', (values: number[]) => [200, ...values.slice(1)]],
    ['a threshold that is not there', 'threshold_codes', (values: number[]) => [65_535, ...values.slice(1)]],
    ['a child that is its own parent', 'left', (values: number[]) => [0, ...values.slice(1)]],
    ['too few answers', 'answers', (values: number[]) => values.slice(4)],
    ['a leaf without a share of any class', 'answers', (values: number[]) => [0, 0, 0, 0, ...values.slice(4)]],
    ['a leaf that no row reached', 'leaf_covers', (values: number[]) => [0, ...values.slice(1)]],
  ])('is refused with %s', async (_, section, change) => {
    const packed = decodePacked(await forest(), 'forest', names);
    packed.sections[section] = Uint32Array.from(change([...packed.sections[section]!]));
    expect(() => decodeForest(encodePacked(packed))).toThrow(/not a readable forest/);
  });

  it('is refused where it is another model, or says an impossible one', async () => {
    const packed = decodePacked(await forest(), 'forest', names);
    for (const change of [{ model: 'gradient_boosting' }, { bits: 7 }, { classes: 1 }, { features: 1e9 }])
      expect(() => decodeForest(encodePacked({ ...packed, header: { ...packed.header, ...change } }))).toThrow(
        /not a readable forest/,
      );
    expect(() => decodeBoosting(encodePacked(packed))).toThrow(/not a readable boosted model/);
    expect(() => decodeNetwork(encodePacked(packed))).toThrow(/not a readable network/);
  });
});

describe('whether a variant is served', () => {
  const ROWS = 900;
  const prng = createPrng(3, 1);
  const use = Array.from({ length: ROWS }, () => prng.next());
  const noise = Array.from({ length: ROWS }, () => prng.next());
  const y = Float64Array.from(use, (value) => Number(value + 0.3 * prng.next() > 0.6));
  const head = { name: 'label', column: 'bought', task: 'multiclass' } as const;
  const target = { head, y, classes: ['no', 'yes'] };
  const table: TrainingTable = {
    rows: ROWS,
    features: [
      { name: 'use', values: use },
      { name: 'noise', values: noise },
    ],
    groups: Int32Array.from(use, (_, row) => row),
    units: Float64Array.from(use, (_, row) => row),
    targets: [target],
    isHeldOut: Uint8Array.from(use, (_, row) => Number(row % 3 === 0)),
    isInTime: false,
  };
  const encoder = fitTableEncoder(
    table.features,
    rowsOf(target, (row) => table.isHeldOut[row] === 0),
  );

  function tryOn(algorithm: HeadAlgorithm, optimize: Optimize, among = table) {
    const plan = {
      kind: 'classification',
      algorithm,
      hyperparameters: { seed: 1, n_estimators: 40 },
      seed: 1,
      settings: { split: 'random' },
      optimize,
    } as unknown as TrainingPlan & { optimize: Optimize };
    const x = encodeTable(encoder, among.features);
    const fitted = fitHead({
      ...headInput(plan, among, encoder, x, among.targets[0]!, (row) => among.isHeldOut[row] === 0),
      onProgress: () => {},
    });
    return { fitted, ...tryVariants(plan, among, encoder, [fitted]) };
  }

  it('is told by what it loses: one that loses little takes the place of what was fitted', () => {
    const { fitted, heads, report, warnings } = tryOn('random_forest', asked({ quantize: 'int8', max_loss: 0.05 }));
    const { used, change, bytes, cpu_us_per_row: cpu, reason } = report.heads['label']!;
    expect(used).toBe(true);
    expect(reason).toMatch(/no more than the 5 % of max_loss/);
    expect(change!.lower).toBeLessThanOrEqual(change!.value);
    expect(change!.value).toBeLessThanOrEqual(change!.upper);
    expect(change!.upper).toBeLessThanOrEqual(0.05);
    expect(change!.entities).toBe(300);
    expect(bytes).toEqual({ before: fitted.model.encode().length, after: heads[0]!.model.encode().length });
    expect(bytes!.after).toBeLessThan(bytes!.before / 2);
    expect(cpu!.before).toBeGreaterThan(0);
    expect(heads[0]!.calibration).toBe(fitted.calibration);
    expect(warnings).toEqual([]);
  });

  it('and one that may lose more than stated is not used, with its reason and its figures', () => {
    const { fitted, heads, report, warnings } = tryOn('gradient_boosting', asked({ prune: 0.95, max_loss: 0.01 }));
    const { used, change, reason } = report.heads['label']!;
    expect(used).toBe(false);
    expect(change!.upper).toBeGreaterThan(0.01);
    expect(reason).toMatch(/more than the 1 % of max_loss/);
    expect(heads[0]!.model).toBe(fitted.model);
    expect(warnings).toEqual([{ path: 'optimize', message: `label is served as it was fitted: ${reason}` }]);
  });

  it('nor is one that too few held-out entities could judge, nor one of a model that has no variant', () => {
    const few = { ...table, groups: table.groups.map((group) => group % 15) };
    expect(tryOn('random_forest', asked({ quantize: 'int16', max_loss: 1 }), few).report.heads['label']).toMatchObject({
      used: false,
      reason: expect.stringContaining('held-out entities') as string,
    });
    const { report, warnings } = tryOn('linear', asked({ quantize: 'int8' }));
    expect(report.heads['label']).toEqual({
      used: false,
      reason: 'a linear model has nothing to quantise or prune',
    });
    expect(warnings).toHaveLength(1);
  });

  it.each([
    {},
    { quantize: 'int4' },
    { prune: 0 },
    { prune: 0.96 },
    { quantize: 'int8', max_loss: -1 },
    { prune: 0.5, more: 1 },
  ])('and %j asks for nothing that can be tried', (optimize) =>
    expect(optimizeSchema.safeParse(optimize).success).toBe(false),
  );
});
