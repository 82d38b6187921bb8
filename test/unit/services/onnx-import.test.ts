import { describe, expect, it } from 'vitest';
import { importRequestSchema } from '../../../core/schemas/exchange.js';
import { sha256, type ModelBundle } from '../../../services/artifacts/model-bundle.js';
import type { TabularBody } from '../../../services/kinds/tabular/fit-model.js';
import { createScorer } from '../../../services/kinds/scorers.js';
import { exportOnnx } from '../../../services/onnx/export-version.js';
import { inspectOnnx } from '../../../services/onnx/inspect-onnx.js';
import { mapSignature } from '../../../services/onnx/map-signature.js';
import type { OnnxModel } from '../../../services/onnx/onnx-schema.js';
import { mixedRows, tabularBundle } from '../../support/tabular-bundle.js';
import { smallOnnx } from '../../support/small-onnx.js';

const request = (more: object = {}) =>
  importRequestSchema.parse({
    source: 'm.onnx',
    features: [{ name: 'a' }, { name: 'b' }],
    classes: ['no', 'yes'],
    ...more,
  });

function bundleOf(
  bytes: Uint8Array,
  asked: object,
  kind: 'classification' | 'regression' = 'classification',
): ModelBundle {
  const mapped = mapSignature(request(asked), kind, inspectOnnx(bytes));
  if ('problems' in mapped) throw new Error(JSON.stringify(mapped.problems));
  const { body } = mapped;
  const manifest = { kind, model: 'm', algorithm: 'onnx', body, golden: [] };
  return { digest: sha256(bytes), manifest, files: new Map([[body.file, bytes]]), bytes: 1 } as unknown as ModelBundle;
}
const problemsOf = (asked: object, bytes = smallOnnx(), kind: 'classification' | 'regression' = 'classification') => {
  const mapped = mapSignature(request(asked), kind, inspectOnnx(bytes));
  return 'problems' in mapped ? mapped.problems.map(({ path, message }) => `${path}: ${message}`) : [];
};

describe('an imported ONNX model', () => {
  it('answers from features by name, in the order that it takes them', () => {
    const scorer = createScorer(bundleOf(smallOnnx(), {}));
    const p = 1 / (1 + Math.exp(-(3 - 2 * 0.5)));
    expect(scorer.outputs({ features: { b: 0.5, a: 3 } })['label']![1]).toBeCloseTo(p, 6);
    expect(scorer.predict({ features: { a: '3', b: 0.5 } }).predictions).toMatchObject({ label: 'yes' });
  });

  it('refuses values and names that it cannot take, each by its path', () => {
    const scorer = createScorer(bundleOf(smallOnnx(), {}));
    expect(() => scorer.predict({ features: { a: 'three', b: 1, c: 1 } })).toThrow(
      expect.objectContaining({
        problems: [
          { path: 'features.a', message: 'must be a finite number or null' },
          { path: 'features.c', message: expect.stringContaining('knows no feature of this name') },
        ],
      }),
    );
    // Unknown is NaN, and so is then the answer of this model.
    expect(() => scorer.predict({ features: { a: 1 } })).toThrow(/no finite number/);
  });

  it('of ours answers as ours does, with strings, missing and unseen values, by an input a feature', async () => {
    const ours = await tabularBundle('gradient_boosting', 4);
    const { encoder } = ours.manifest.body as TabularBody;
    const features = encoder.features.map(({ name, type }) => ({ name, type: type === 'category' ? type : 'number' }));
    const classes = ['class 0', 'class 1', 'class 2', 'class 3'];
    const imported = createScorer(bundleOf(exportOnnx(ours, 'v1.0.0'), { features, classes }));
    const own = createScorer(ours);
    for (const row of mixedRows(50, 17)) {
      const since = row.since === null ? null : Date.parse(row.since);
      const answers = imported.outputs({ features: { ...row, since } })['label']!;
      own.outputs({ features: row })['label']!.forEach((value, at) => expect(answers[at]).toBeCloseTo(value, 5));
    }
  });

  it('goes out again as it came in', () => {
    const bytes = smallOnnx();
    expect(exportOnnx(bundleOf(bytes, {}), 'v1.0.0')).toEqual(bytes);
  });

  it.each<[string, (model: OnnxModel) => void, RegExp]>([
    ['numbers in another file', (m) => { m.graph.initializer![0] = { name: 'weights', dataLocation: 1, externalData: [{ key: 'location', value: '../../etc/passwd' }] }; }, /the numbers of weights are in another file/], // prettier-ignore
    ['a loop', (m) => void (m.graph.node[3]!.opType = 'Loop'), /it has a Loop, which may take for ever/],
    ['a loop in a branch', (m) => void (m.graph.node[3]!.attribute = [{ name: 'then_branch', type: 5, g: { node: [{ input: [], output: [], opType: 'Scan' }], input: [], output: [] } }]), /it has a Scan/], // prettier-ignore
    ['operators of somebody’s own', (m) => void (m.graph.node[3]!.domain = 'my.company'), /uses my\.company\.Identity/],
    ['operators of the past', (m) => void (m.opsetImport = [{ domain: '', version: 3 }]), /version 3 of the operators/],
    ['maps for answers', (m) => void (m.graph.output = [{ name: 'p', type: { sequenceType: {} } }]), /zipmap/],
    ['functions', (m) => void (m.functions = [{ name: 'f', node: [] }]), /functions of its own/],
  ])('with %s is refused before it is run', (_, change, problem) => {
    expect(() => inspectOnnx(smallOnnx(change))).toThrow(problem);
  });

  it('that is none, or is cut off, is refused', () => {
    expect(() => inspectOnnx(new TextEncoder().encode('\x80\x04pickle'))).toThrow(/no ONNX file/);
    expect(() => inspectOnnx(smallOnnx().slice(0, 60))).toThrow(/no ONNX file/);
    expect(() => inspectOnnx(new Uint8Array(0))).toThrow(/no ONNX file/);
  });

  it('whose signature does not fit is refused at each place', () => {
    expect(problemsOf({ features: [{ name: 'a' }] })).toEqual(['features: give the input x 1 values, but it takes 2']);
    expect(problemsOf({ features: [{ name: 'a', input: 'y' }, { name: 'b' }] })[0]).toBe(
      'features.0.input: names no input of the model; its inputs: x',
    );
    expect(problemsOf({ features: [{ name: 'a', type: 'category' }, { name: 'b' }] })[0]).toContain(
      'features.0.type: is category',
    );
    expect(problemsOf({ classes: ['a', 'b', 'c'] })[0]).toContain(
      'output: must name one of the outputs, since none fits',
    );
    expect(problemsOf({ classes: undefined })[0]).toContain('classes: must list the classes');
    expect(problemsOf({ output: 'copy' })[0]).toContain('output: is no tensor that the model gives');
    expect(problemsOf({}, smallOnnx(), 'regression')[0]).toContain('classes: must be left out');
  });
});
