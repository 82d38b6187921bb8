import { isMissing } from './column-type.js';

/** A class as it stands in the data. */
export type LabelValue = string | number | boolean;

/** The classes of a target in a fixed order; plain JSON. */
export interface LabelEncoder {
  classes: LabelValue[];
}

/**
 * Collects the classes of a target: booleans (false first), then numbers by size, then strings (those that are all numbers by
 * size, others by code unit). The order depends on the set of values only.
 * @throws RangeError for a value that can be no class, such as an object
 */
export function fitLabelEncoder(values: readonly unknown[]): LabelEncoder {
  const seen = new Set<LabelValue>();
  values.forEach((value, row) => {
    if (isMissing(value)) return;
    const label = labelOf(value);
    if (label === undefined)
      throw new RangeError(
        `the target of row ${row} is ${typeof value === 'object' ? 'an object' : String(value)}: a class must be a string, a boolean or a finite number`,
      );
    seen.add(label);
  });
  return { classes: [...seen].sort(compareLabels) };
}

/** Per value the number of its class, NaN for a missing value and for a class that was not seen. */
export function encodeLabels(encoder: LabelEncoder, values: readonly unknown[]): Float64Array {
  const codes = new Map(encoder.classes.map((label, code) => [label, code]));
  return Float64Array.from(values, (value) => {
    const label = isMissing(value) ? undefined : labelOf(value);
    return label === undefined ? NaN : (codes.get(label) ?? NaN);
  });
}

/** The class with a number. */
export function decodeLabel(encoder: LabelEncoder, code: number): LabelValue {
  const label = encoder.classes[code];
  if (label === undefined)
    throw new RangeError(`there is no class ${code}: the encoder knows ${encoder.classes.length}`);
  return label;
}

function labelOf(value: unknown): LabelValue | undefined {
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'bigint') return Number(value);
  // -0 and 0 are one class.
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : undefined;
  return typeof value === 'boolean' ? value : undefined;
}

const KINDS = ['boolean', 'number', 'string'];

function compareLabels(a: LabelValue, b: LabelValue): number {
  if (typeof a !== typeof b) return KINDS.indexOf(typeof a) - KINDS.indexOf(typeof b);
  if (typeof a !== 'string') return Number(a) - Number(b);
  const x = a === '' ? NaN : Number(a);
  const y = b === '' ? NaN : Number(b);
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  if (x !== y && !Number.isNaN(x)) return x - y;
  return a < (b as string) ? -1 : a > (b as string) ? 1 : 0;
}
