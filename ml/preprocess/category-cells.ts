import type { ColumnChoices } from './column-choices.js';
import { isMissing, parseCategory } from './column-type.js';
import { createCodeReader } from './feature-reader.js';
import type { EncodedFeature } from './table-encoder.js';
import { fitTargetValues, targetWidth, type EncodingTarget } from './target-encoding.js';

/** Learns a category's values, what stands for a missing one, and the cells that each becomes. */
export function fitCategory(
  feature: EncodedFeature,
  training: readonly unknown[],
  choices: ColumnChoices,
  target: EncodingTarget | undefined,
): void {
  const { missing, fillText, encoding } = choices;
  const filled = missing === 'constant' ? training.map((value) => (isMissing(value) ? fillText : value)) : training;
  const categories = countCategories(filled, choices.mostCategories);
  feature.categories = categories;
  feature.encoding = encoding;
  if (missing === 'constant') feature.fill = fillText;
  else if (missing !== 'keep' && missing !== 'drop' && categories.length > 0)
    feature.fill = categories.reduce((most, one) => (one.count > most.count ? one : most)).value;
  if (encoding === 'one-hot') feature.unknown = categories.map(() => 0);
  if (encoding === 'frequency') {
    const known = filled.reduce<number>((sum, value) => sum + Number(!isMissing(value)), 0);
    feature.values = categories.map(({ count }) => count / Math.max(1, known));
    feature.unknown = [0];
  }
  if (encoding === 'target') {
    if (!target)
      throw new RangeError(`${JSON.stringify(feature.name)} is to be encoded by a target, and none is given`);
    feature.smoothing = choices.smoothing;
    Object.assign(
      feature,
      fitTargetValues(categoryCodes(feature, training), target, {
        categories: categories.length,
        smoothing: choices.smoothing,
      }),
    );
    feature.width = targetWidth(target.classes);
  }
}

/** By row the number of the category, -1 for a row that has none. */
export function categoryCodes(feature: EncodedFeature, values: readonly unknown[]): Int32Array {
  const codeOf = createCodeReader(feature);
  return Int32Array.from(values, (value) => codeOf(value) ?? -1);
}

/** Codes follow the names (numbers by size), so that "1-2 years" lies between its neighbours and a cut can use that. */
function countCategories(values: readonly unknown[], most: number): { value: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const value of values) {
    const name = isMissing(value) ? undefined : parseCategory(value);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const all = [...counts].map(([value, count]) => ({ value, count }));
  const kept = all.sort((a, b) => b.count - a.count || compareNames(a.value, b.value)).slice(0, most);
  return kept.sort((a, b) => compareNames(a.value, b.value));
}

/** Numbers before words, numbers by size, words by code unit: the same order on every machine. */
function compareNames(a: string, b: string): number {
  const x = Number(a);
  const y = Number(b);
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y || (a < b ? -1 : a > b ? 1 : 0);
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
}
