/**
 * What is known of items beyond who took them, such as genres: item `i` carries the attributes `attribute[offsets[i]]` to
 * `attribute[offsets[i + 1] - 1]`, each with a value so that an item's vector has length 1.
 */
export interface ItemAttributes {
  readonly items: number;
  readonly attributes: number;
  readonly offsets: Int32Array;
  /** Ascending in each row. */
  readonly attribute: Int32Array;
  readonly value: Float32Array;
}

/**
 * Builds unit vectors with the inverse document frequency `ln((1 + items) / (1 + carriers)) + 1`: an attribute that few carry
 * says more (Salton and Buckley 1988; smoothed as in scikit-learn).
 * @param attributesOf the attributes of each item, 0 to `attributes - 1`; repeats count once, an item may carry none
 * @throws RangeError for an attribute out of range
 */
export function buildItemAttributes(attributesOf: readonly (readonly number[])[], attributes: number): ItemAttributes {
  const carriers = new Int32Array(attributes);
  const rows = attributesOf.map((list, item) => {
    const row = [...new Set(list)].sort((a, b) => a - b);
    for (const attribute of row) {
      if (!(Number.isInteger(attribute) && attribute >= 0 && attribute < attributes))
        throw new RangeError(`item ${item} has the attribute ${attribute}: give an index from 0 to ${attributes - 1}`);
      carriers[attribute]!++;
    }
    return row;
  });
  const items = rows.length;
  const offsets = new Int32Array(items + 1);
  rows.forEach((row, item) => (offsets[item + 1] = offsets[item]! + row.length));
  const value = new Float32Array(offsets[items]!);
  rows.forEach((row, item) => {
    const raw = row.map((attribute) => Math.log((1 + items) / (1 + carriers[attribute]!)) + 1);
    const length = Math.hypot(...raw);
    raw.forEach((entry, k) => (value[offsets[item]! + k] = entry / length));
  });
  return { items, attributes, offsets, attribute: Int32Array.from(rows.flat()), value };
}

/** The cosine between two items' attributes, 0 to 1. */
export function attributeSimilarity(of: ItemAttributes, a: number, b: number): number {
  let sum = 0;
  let at = of.offsets[a]!;
  let other = of.offsets[b]!;
  while (at < of.offsets[a + 1]! && other < of.offsets[b + 1]!) {
    const difference = of.attribute[at]! - of.attribute[other]!;
    if (difference === 0) sum += of.value[at]! * of.value[other]!;
    if (difference <= 0) at++;
    if (difference >= 0) other++;
  }
  return sum;
}

/**
 * Adds `scale` times the cosine between the attributes of a history, taken together, and of each item.
 * @param out one number an item
 */
export function addContentScores(
  of: ItemAttributes,
  item: ArrayLike<number>,
  weight: ArrayLike<number>,
  scale: number,
  out: Float64Array,
): void {
  const profile = new Float64Array(of.attributes);
  for (let h = 0; h < item.length; h++) {
    for (let at = of.offsets[item[h]!]!; at < of.offsets[item[h]! + 1]!; at++)
      profile[of.attribute[at]!]! += weight[h]! * of.value[at]!;
  }
  let square = 0;
  for (const value of profile) square += value * value;
  if (square === 0) return;
  const factor = scale / Math.sqrt(square);
  for (let i = 0; i < of.items; i++) {
    let sum = 0;
    for (let at = of.offsets[i]!; at < of.offsets[i + 1]!; at++) sum += profile[of.attribute[at]!]! * of.value[at]!;
    out[i]! += factor * sum;
  }
}
