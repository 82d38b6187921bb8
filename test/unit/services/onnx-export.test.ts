import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../../services/artifacts/model-bundle.js';
import type { TabularBody } from '../../../services/kinds/tabular/fit-model.js';
import { createTabularScorer } from '../../../services/kinds/tabular/scorer.js';
import { exportOnnx } from '../../../services/onnx/export-version.js';
import { decodeOnnx } from '../../../services/onnx/onnx-schema.js';
import { mixedRows, tabularBundle, type MixedRow, type TestedAlgorithm } from '../../support/tabular-bundle.js';

const isotonic = { method: 'isotonic' as const, x: [0.1, 0.2, 0.55, 0.8], y: [0.05, 0.3, 0.3, 0.9] };
const platt = { method: 'platt' as const, slope: 1.3, intercept: -0.2 };
const logLoss = { identity: 0, platt: 0, isotonic: 0 };

/** Rows that no fit has seen, with categories that did not occur. */
const ROWS: MixedRow[] = [
  ...mixedRows(300, 99),
  { size: 1e12, spend: -5, plan: 'never seen', city: 'nowhere', paid: true, since: '2024-02-29T23:59:59.999Z' },
  { size: null, spend: null, plan: null, city: null, paid: null, since: null },
];

/** The inputs as the format takes them. */
function feedsOf(rows: readonly MixedRow[], encoder: TabularBody['encoder']): Record<string, Tensor> {
  return Object.fromEntries(
    encoder.features.map(({ name, type }) => {
      const values = rows.map((row) => row[name as keyof MixedRow]);
      if (type === 'category')
        return [
          name,
          new Tensor(
            'string',
            values.map((value) => String(value ?? '')),
            [rows.length, 1],
          ),
        ];
      const numbers = values.map((value) =>
        value === null ? NaN : type === 'date' ? Date.parse(value as string) : Number(value),
      );
      return [name, new Tensor('float64', Float64Array.from(numbers), [rows.length, 1])];
    }),
  );
}

async function compare(bundle: ModelBundle): Promise<{ worst: number; labels: unknown[] }> {
  const session = await InferenceSession.create(exportOnnx(bundle, 'v1.0.0'));
  const { encoder, heads } = bundle.manifest.body as TabularBody;
  const outputs = await session.run(feedsOf(ROWS, encoder));
  const scorer = createTabularScorer(bundle);
  const [head] = heads;
  const width = Math.max(1, head!.classes.length);
  const answers = outputs[head!.classes.length > 0 ? `${head!.name}.probabilities` : head!.name]!;
  const own = ROWS.flatMap((row) => scorer.outputs({ features: row })[head!.name]!);
  // Numbers are held to their range, as probabilities are: the operator of trees gives sums in single precision.
  const range = width > 1 ? 1 : Math.max(...own) - Math.min(...own);
  expect(answers.data).toHaveLength(own.length);
  const worst = Math.max(...own.map((value, at) => Math.abs(Number(answers.data[at]) - value) / range));
  const labels = Array.from(outputs[head!.name]!.data as ArrayLike<unknown>);
  return { worst, labels };
}

const ALL: TestedAlgorithm[] = ['random_forest', 'gradient_boosting', 'linear', 'blend', 'neural_network'];

describe('a version exported to ONNX', () => {
  it.each(ALL.flatMap((algorithm) => [0, 2, 4].map((classes) => [algorithm, classes] as const)))(
    'of %s with %d classes answers within 1e-5 of ours, with missing and unseen values, in another runtime',
    async (algorithm, classes) => {
      const { worst } = await compare(await tabularBundle(algorithm, classes));
      expect(worst).toBeLessThan(1e-5);
    },
  );

  it.each([
    ['Platt’s curve', 2, { calibration: { classes: 2, curves: [platt], rows: 1, logLoss } }],
    ['an isotonic curve', 2, { calibration: { classes: 2, curves: [isotonic], rows: 1, logLoss } }],
    ['curves of several classes', 4, { calibration: { classes: 4, curves: [isotonic, platt, { method: 'identity' as const }, isotonic], rows: 1, logLoss } }], // prettier-ignore
  ])('has %s in it', async (_, classes, more) => {
    const { worst } = await compare(await tabularBundle('gradient_boosting', classes, more));
    expect(worst).toBeLessThan(1e-5);
  });

  it('decides by the threshold of the costs, and gives intervals and values of logarithms back', async () => {
    const bundle = await tabularBundle('linear', 2, { decision: { positive: 1, threshold: 0.9 } });
    const { labels } = await compare(bundle);
    const scorer = createTabularScorer(bundle);
    const expected = ROWS.map((row) =>
      scorer.outputs({ features: row })['label']![1]! >= 0.9 ? 'class 1' : 'class 0',
    );
    expect(labels).toEqual(expected);
    const regression = await tabularBundle('linear', 0, { interval: { level: 0.9, halfWidth: 250 } });
    const session = await InferenceSession.create(exportOnnx(regression, 'v1.0.0'));
    const { value, 'value.interval': interval } = await session.run(
      feedsOf(ROWS.slice(0, 1), (regression.manifest.body as TabularBody).encoder),
    );
    const [middle] = value!.data as Float64Array;
    expect(Array.from(interval!.data as Float64Array)).toEqual([middle! - 250, middle! + 250]);
  });

  it('takes categories with a column a value', async () => {
    const { worst } = await compare(await tabularBundle('random_forest', 2, {}, 'one-hot'));
    expect(worst).toBeLessThan(1e-5);
  });

  it('says what it is, and names its features and answers', async () => {
    const bundle = await tabularBundle('random_forest', 2);
    const model = decodeOnnx(exportOnnx(bundle, 'v1.2.0'));
    expect(model.graph.input.map(({ name }) => name)).toEqual(['size', 'spend', 'plan', 'city', 'paid', 'since']);
    expect(model.graph.output.map(({ name }) => name)).toEqual(['label', 'label.probabilities']);
    expect(model.metadataProps).toContainEqual({ key: 'version', value: 'v1.2.0' });
  });

  it('is refused with the reason where the format has nothing like it', async () => {
    const bundle = await tabularBundle('random_forest', 2);
    const of = (manifest: object) => () =>
      exportOnnx({ ...bundle, manifest: { ...bundle.manifest, ...manifest } } as ModelBundle, 'v1.0.0');
    expect(of({ kind: 'recommendation' })).toThrow(
      'a model of the kind recommendation answers from histories or lists',
    );
    const body = bundle.manifest.body as TabularBody;
    const text = { name: 'note', type: 'text' as const, start: 0, width: 1 };
    expect(of({ body: { ...body, encoder: { ...body.encoder, features: [text] } } })).toThrow(
      'the feature note is free text',
    );
    const sequenced = { ...body.heads[0]!, sequence: {} };
    expect(of({ body: { ...body, heads: [sequenced] } })).toThrow(
      'the head label is also told from what the entity did last',
    );
    const twin = { ...body.heads[0]!, name: 'size' };
    expect(of({ body: { ...body, heads: [twin] } })).toThrow('the feature size has the name of an answer');
  });
});
