import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../../services/artifacts/model-bundle.js';
import { createTabularScorer } from '../../../services/kinds/tabular/scorer.js';
import { forestHead } from '../../../services/kinds/tabular/head-model.js';
import { answerColumnsOf } from '../../../services/serving/flat-answers.js';
import { cellOf } from '../../../services/serving/column-row.js';
import type { BatchColumn } from '../../../ml/preprocess/encode-batch.js';
import { fitTableEncoder, encodeTable } from '../../../ml/preprocess/table-encoder.js';
import { defaultRandomForestParameters, fitRandomForest } from '../../../ml/ensemble/random-forest.js';
import { createPrng } from '../../../ml/random/prng.js';

/** Two heads of forests on a number, a category, a boolean and a date. */
function scorerOf(kind: 'user_behavior' | 'classification') {
  const prng = createPrng(3);
  const rows = 300;
  const columns = [
    { name: 'size', values: Array.from({ length: rows }, () => prng.next() * 10) },
    { name: 'plan', values: Array.from({ length: rows }, () => ['a', 'b', 'c'][Math.floor(prng.next() * 3)]) },
    { name: 'paid', values: Array.from({ length: rows }, () => prng.next() < 0.5) },
    {
      name: 'since',
      values: Array.from(
        { length: rows },
        (_, at) => `2024-${String(1 + (at % 12)).padStart(2, '0')}-${String(1 + (at % 28)).padStart(2, '0')}`,
      ),
    },
  ];
  const all = Uint32Array.from({ length: rows }, (_, at) => at);
  const encoder = fitTableEncoder(columns, all);
  const x = encodeTable(encoder, columns);
  const files = new Map<string, Uint8Array>();
  const heads = [2, 3].slice(0, kind === 'classification' ? 1 : 2).map((classes, index) => {
    const y = Float64Array.from({ length: rows }, () => Math.floor(prng.next() * classes));
    const task = { kind: 'classification', classes } as const;
    const forest = fitRandomForest({
      x,
      y,
      task,
      parameters: { ...defaultRandomForestParameters(task), nEstimators: 7, maxDepth: 6, seed: index },
    });
    files.set(`head-${index}`, forestHead(forest).encode());
    const names = Array.from({ length: classes }, (_, at) => `class ${at}`);
    return {
      name: `head_${index}`,
      task: classes === 2 ? 'binary' : 'multiclass',
      classes: names,
      file: `head-${index}`,
      algorithm: 'random_forest',
      index: 0,
    };
  });
  const manifest = {
    kind,
    model: 'm',
    signature: encoder.features.map(({ name, type }) => ({ name, type })),
    body: { encoder, heads },
  };
  return createTabularScorer({ digest: 'd', manifest, files, bytes: 0 } as unknown as ModelBundle);
}

const features = fc.record(
  {
    size: fc.option(fc.double({ min: -20, max: 20, noNaN: true })),
    plan: fc.option(fc.constantFrom('a', 'b', 'c', 'never seen')),
    paid: fc.option(fc.boolean()),
    since: fc.option(fc.constantFrom('2024-05-31', '2023-01-01T10:00:00Z')),
  },
  { requiredKeys: [] },
);

function columnsOf(rows: readonly Record<string, unknown>[]): BatchColumn[] {
  const plans = ['c', 'a', 'never seen', 'b'];
  return [
    {
      name: 'size',
      kind: 'numbers',
      values: Float64Array.from(rows, (row) => (row['size'] as number | null | undefined) ?? NaN),
    },
    {
      name: 'plan',
      kind: 'codes',
      dictionary: plans,
      codes: Int32Array.from(rows, (row) => plans.indexOf(row['plan'] as string)),
    },
    { name: 'paid', kind: 'values', values: rows.map((row) => row['paid']) },
    { name: 'since', kind: 'values', values: rows.map((row) => row['since']) },
  ];
}

describe.each(['user_behavior', 'classification'] as const)('a batch of %s', (kind) => {
  const scorer = scorerOf(kind);

  it('answers each row as it is answered alone, to the bit, as rows and as columns', () => {
    fc.assert(
      fc.property(fc.array(features, { minLength: 1, maxLength: 150 }), (rows) => {
        const inputs = rows.map((row) => ({ features: row as Record<string, string> }));
        const alone = inputs.map((input) => scorer.predict(input));
        expect(scorer.batch!.predictRows(inputs)).toEqual(alone);
        const { answers, problems } = scorer.batch!.predictColumns(columnsOf(rows), 0, rows.length);
        expect(problems).toEqual([]);
        const expected = answerColumnsOf(alone);
        for (const column of answers) {
          const same = expected.find(({ name }) => name === column.name)!;
          for (let row = 0; row < rows.length; row++) expect(cellOf(column, row)).toBe(cellOf(same, row));
        }
        expect(answers.map(({ name }) => name).sort()).toEqual(expected.map(({ name }) => name).sort());
      }),
      { numRuns: 60 },
    );
  });

  it('names the row and the feature of a value that cannot be read', () => {
    const bad: BatchColumn[] = [{ name: 'size', kind: 'numbers', values: Float64Array.of(1, NaN, Infinity) }];
    expect(scorer.batch!.predictColumns(bad, 0, 3).problems).toEqual([
      { row: 2, name: 'size', message: 'must be a finite number or null, got Infinity' },
    ]);
    const [good, refused] = scorer.batch!.predictRows([{ features: { size: 1 } }, { features: { size: 'x' } }]);
    expect(good).toHaveProperty('predictions');
    expect(refused).toMatchObject({ code: 'request_invalid', problems: [{ path: 'features.size' }] });
  });
});
