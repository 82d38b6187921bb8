import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyCellSteps, fitCellSteps } from '../../../ml/preprocess/cell-steps.js';
import { NO_CHOICES, type ColumnChoices } from '../../../ml/preprocess/column-choices.js';
import { normalizeRow } from '../../../ml/preprocess/normalize-row.js';
import { fitRemovalBounds, isOutside } from '../../../ml/preprocess/remove-outliers.js';
import { encodeOutOfFold, encodeRow, encodeTable, fitTableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { fitTargetValues } from '../../../ml/preprocess/target-encoding.js';

interface Golden {
  columns: Record<string, (number | null)[]>;
  numbers: { column: string; clip: string | null; missing: string; scaling: string; out: (number | null)[] }[];
  rows: { x: number[][]; out: number[][] };
  encoders: {
    categories: string[];
    y: Record<string, number[]>;
    target: {
      target: string;
      smoothing: number | 'auto';
      categories: string[];
      encodings: number[][];
      mean: number[];
    }[];
    probes: string[];
    one_hot: number[][];
  };
}
const golden = JSON.parse(readFileSync(new URL('../../golden/preprocessing.json', import.meta.url), 'utf8')) as Golden;

const BOUNDS = { iqr: { by: 'iqr', factor: 1.5 }, quantiles: { by: 'quantiles', lower: 0.05, upper: 0.9 } } as const;
const allRows = (values: readonly unknown[]) => Uint32Array.from(values.keys());

describe('numbers are prepared as by scikit-learn', () => {
  it.each(
    golden.numbers.map((one) => [`${one.column}, ${one.clip ?? 'no'} clip, ${one.missing}, ${one.scaling}`, one]),
  )('%s', (_, { column, clip, missing, scaling, out }) => {
    const values = Float64Array.from(golden.columns[column]!, (value) => value ?? NaN);
    const steps = fitCellSteps(values, {
      ...NO_CHOICES,
      missing: missing as ColumnChoices['missing'],
      fillNumber: -3,
      scaling: scaling as ColumnChoices['scaling'],
      ...(clip ? { outliers: { action: 'clip', bounds: BOUNDS[clip as keyof typeof BOUNDS] } } : {}),
    })!;
    values.forEach((value, row) => {
      const expected = out[row] ?? NaN;
      if (Number.isNaN(expected)) expect(applyCellSteps(steps, value)).toBeNaN();
      // Sums in another order: the mean of numbers of a billion has an error of 1e-7 in the unit of their spread.
      else expect(applyCellSteps(steps, value)).toBeCloseTo(expected, column === 'large' ? 6 : 10);
    });
  });

  it('and rows have the length 1 afterwards, but for zeros', () => {
    golden.rows.x.forEach((row, at) => {
      const cells = Float64Array.from(row);
      normalizeRow([0, 1, 2, 3], cells);
      golden.rows.out[at]!.forEach((expected, column) => expect(cells[column]).toBeCloseTo(expected, 14));
    });
  });
});

describe('categories are encoded as by scikit-learn', () => {
  const { categories, y, target, probes, one_hot: oneHot } = golden.encoders;

  it.each(target.map((one) => [`${one.target}, smoothing ${one.smoothing}`, one] as const))(
    'by target: %s',
    (_, one) => {
      const codes = Int32Array.from(categories, (name) => one.categories.indexOf(name));
      const classes = { number: 0, binary: 2, many: 3 }[one.target]!;
      const { values, unknown } = fitTargetValues(
        codes,
        { y: Float64Array.from(y[one.target]!), classes },
        { categories: one.categories.length, smoothing: one.smoothing },
      );
      const width = one.encodings.length;
      one.encodings.forEach((cells, cell) =>
        cells.forEach((expected, code) => expect(values[code * width + cell]).toBeCloseTo(expected, 12)),
      );
      one.mean.forEach((expected, cell) => expect(unknown[cell]).toBeCloseTo(expected, 12));
    },
  );

  it('one by one, a value that was not seen being none of them', () => {
    const encoder = fitTableEncoder([{ name: 'colour', values: categories }], allRows(categories), {
      choicesOf: () => ({ ...NO_CHOICES, encoding: 'one-hot' }),
    });
    expect(encoder.columns).toEqual(['colour=blue', 'colour=green', 'colour=rare', 'colour=red']);
    const cells = new Float64Array(4);
    probes.forEach((colour, at) => {
      encodeRow(encoder, { colour }, cells);
      expect([...cells]).toEqual(oneHot[at]);
    });
  });
});

describe('preparing a table', () => {
  const categories = Array.from({ length: 60 }, (_, row) => `c${row % 30}`);
  const y = Float64Array.from(categories, (_, row) => Number((row * 7919) % 13 > 6));
  const columns = [{ name: 'c', values: categories }];
  const choicesOf = () => ({ ...NO_CHOICES, encoding: 'target' as const, smoothing: 0 });

  it('keeps a row’s own truth out of its features where the target encodes a category', () => {
    const target = { y, classes: 2 };
    const encoder = fitTableEncoder(columns, allRows(categories), { choicesOf, target });
    const folds = Int32Array.from(categories, (_, row) => Math.floor(row / 30));
    const x = encodeTable(encoder, columns);
    // Two rows a category: the mean of both has each row's own truth in it, the other fold has the other row alone.
    expect(x.values[0]).toBe((y[0]! + y[30]!) / 2);
    encodeOutOfFold(encoder, columns, x, target, folds);
    for (let row = 0; row < 60; row++) expect(x.values[row]).toBe(y[(row + 30) % 60]);
  });

  it('learns from the training rows alone', () => {
    const values = [1, 2, 3, 1000, null];
    const choices = { ...NO_CHOICES, missing: 'mean' as const, scaling: 'standard' as const };
    const encoder = fitTableEncoder([{ name: 'n', values }], Uint32Array.of(0, 1, 2), { choicesOf: () => choices });
    expect(encoder.features[0]!.steps).toEqual([{ fill: 2, center: 2, scale: Math.sqrt(2 / 3) }]);
    const out = new Float64Array(1);
    encodeRow(encoder, {}, out);
    expect(out[0]).toBe(0);
  });

  it('fills categories and booleans with the most frequent value, or with a word of their own', () => {
    const table = [
      { name: 'c', values: ['a', 'b', 'b', null] },
      { name: 'b', values: [true, false, true, null] },
    ];
    const fill = (missing: 'median' | 'constant') => {
      const encoder = fitTableEncoder(table, allRows(table[0]!.values), {
        choicesOf: () => ({ ...NO_CHOICES, missing, fillText: 'none', encoding: 'frequency' }),
      });
      const out = new Float64Array(2);
      encodeRow(encoder, {}, out);
      return [...out];
    };
    expect(fill('median')).toEqual([2 / 3, 1]);
    expect(fill('constant')).toEqual([1 / 4, 0]);
  });

  it('refuses a request without a value where rows without one were dropped', () => {
    const encoder = fitTableEncoder([{ name: 'n', values: [1, 2, 4] }], Uint32Array.of(0, 1, 2), {
      choicesOf: () => ({ ...NO_CHOICES, missing: 'drop' }),
    });
    expect(encodeRow(encoder, { n: null }, new Float64Array(1))).toEqual([
      { path: 'features.n', message: expect.stringContaining('is missing') as string },
    ]);
    expect(encodeRow(encoder, { n: 3 }, new Float64Array(1))).toEqual([]);
  });

  it('tells rows beyond the bounds of numbers, and leaves texts and gaps alone', () => {
    const values = [...Array.from({ length: 20 }, (_, at) => at), 500, null];
    const choices = { ...NO_CHOICES, outliers: { action: 'remove' as const, bounds: BOUNDS.iqr } };
    const bounds = fitRemovalBounds(
      [
        { name: 'n', values },
        { name: 't', values: values.map(String) },
        { name: 'w', values: values.map(() => 'word') },
      ],
      allRows(values),
      (name) => (name === 'n' || name === 'w' ? choices : NO_CHOICES),
    );
    expect(bounds).toHaveLength(1);
    expect(values.filter((value) => isOutside(bounds[0]!, value))).toEqual([500]);
  });
});
