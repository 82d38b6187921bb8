import { describe, expect, it } from 'vitest';
import {
  boostingRawRow,
  defaultGradientBoostingParameters,
  fitGradientBoosting,
} from '../../../ml/ensemble/gradient-boosting.js';
import type { BoostingLoss, GradientBoosting } from '../../../ml/ensemble/gradient-boosting.js';
import { explainBoostingRow } from '../../../ml/explain/boosting-shap.js';
import { createPrng } from '../../../ml/random/prng.js';
import { hasCode, isCode } from '../../../ml/tree/code-set.js';
import { matrixOf, rowOf } from './matrix-of.js';

const COLUMNS = 5;
const prng = createPrng(6);
const rows = Array.from({ length: 400 }, () => [
  prng.nextGaussian(),
  prng.next() < 0.2 ? NaN : prng.nextInt(6),
  prng.nextInt(10),
  prng.next(),
  prng.nextInt(3),
]);
const x = matrixOf(rows);

function fit(loss: BoostingLoss): GradientBoosting {
  const y = Float64Array.from(rows, ([a, b, code, d]) => {
    const z = a! * (b! > 2 ? 2 : 1) + ((code! * 7) % 5) - d!;
    return loss.kind === 'softmax' ? Math.min(2, Math.max(0, Math.round(z))) : loss.kind === 'logistic' ? +(z > 1) : z;
  });
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 4, maxLeaves: 7, minSamplesLeaf: 3 };
  return fitGradientBoosting({ x, y, loss, parameters, categorical: [2] });
}

/** The mean margin where only the columns of `known` are known: the definition that TreeSHAP's values follow. */
function expectation(model: GradientBoosting, node: number, row: Float64Array, known: number): number {
  const feature = model.feature[node]!;
  if (feature < 0) return model.value[node]!;
  const left = model.left[node]!;
  const of = (child: number) => expectation(model, child, row, known);
  if (known & (1 << feature)) {
    const value = row[feature]!;
    const set = model.codeOffset[node]!;
    const isMissing = set >= 0 ? !isCode(value) : Number.isNaN(value);
    const goesLeft = isMissing
      ? model.missingLeft[node] === 1
      : set >= 0
        ? hasCode(model.codes, set, value)
        : value <= model.threshold[node]!;
    return of(goesLeft ? left : left + 1);
  }
  const [a, b] = [model.cover[left]!, model.cover[left + 1]!];
  return (a * of(left) + b * of(left + 1)) / (a + b);
}

/** Shapley values by their definition: a sum over all subsets. */
function bruteForce(model: GradientBoosting, row: Float64Array, margin: number): number[] {
  const count = model.baseMargins.length;
  const mean = (known: number): number => {
    let sum = 0;
    for (let tree = margin; tree < model.treeOffsets.length - 1; tree += count)
      sum += expectation(model, model.treeOffsets[tree]!, row, known);
    return sum;
  };
  const factorial = [1, 1, 2, 6, 24, 120];
  return Array.from({ length: COLUMNS }, (_, column) => {
    let value = 0;
    for (let subset = 0; subset < 1 << COLUMNS; subset++) {
      if (subset & (1 << column)) continue;
      const size = Array.from({ length: COLUMNS }, (_bit, bit) => (subset >> bit) & 1).reduce((a, b) => a + b);
      const share = (factorial[size]! * factorial[COLUMNS - size - 1]!) / factorial[COLUMNS]!;
      value += share * (mean(subset | (1 << column)) - mean(subset));
    }
    return value;
  });
}

describe.each<BoostingLoss>([{ kind: 'logistic' }, { kind: 'softmax', classes: 3 }, { kind: 'squared' }])(
  'explanations of a boosted model ($kind)',
  (loss) => {
    const model = fit(loss);
    const count = model.baseMargins.length;

    it('are the Shapley values by their definition, sets of categories and missing values included', () => {
      expect(model.codes.length).toBeGreaterThan(0);
      for (const at of [0, 1, 2, 3, 4, 50, 99]) {
        const row = rowOf(x, at);
        const { contributions } = explainBoostingRow(model, row);
        for (let margin = 0; margin < count; margin++) {
          const expected = bruteForce(model, row, margin);
          expected.forEach((value, column) => expect(contributions[margin * COLUMNS + column]).toBeCloseTo(value, 9));
        }
      }
    });

    it('sum with the base to the margins', () => {
      const raw = new Float64Array(count);
      for (let at = 0; at < x.rows; at += 7) {
        const row = rowOf(x, at);
        const { base, contributions } = explainBoostingRow(model, row);
        boostingRawRow(model, row, raw);
        raw.forEach((value, margin) => {
          const own = contributions.subarray(margin * COLUMNS, (margin + 1) * COLUMNS);
          expect(own.reduce((sum, part) => sum + part, base[margin]!)).toBeCloseTo(value, 9);
        });
      }
    });
  },
);
