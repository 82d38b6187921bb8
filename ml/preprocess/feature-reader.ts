import { applyCellSteps, type CellSteps } from './cell-steps.js';
import { isMissing, parseBoolean, parseCategory, parseDate, parseNumber } from './column-type.js';
import { UNSTORED_DATE_PARTS, writeDateParts, type DateParts } from './date-parts.js';
import type { EncodedFeature } from './table-encoder.js';
import { writeTextParts, type TextParts } from './text-parts.js';

/** Reads the values of one feature. */
export interface Reader {
  feature: EncodedFeature;
  /** Writes the feature's cells; false where the value cannot be read and was written as missing. */
  read: (value: unknown, out: Float64Array) => boolean;
}

/** Made once an encoder: training, batches and single requests all read through it. */
export function createReader(feature: EncodedFeature): Reader {
  const plain = withSteps(feature, plainReader(feature));
  if (!feature.required) return { feature, read: plain };
  return { feature, read: (value, out) => plain(value, out) && !isMissing(value) };
}

function plainReader(feature: EncodedFeature): Reader['read'] {
  switch (feature.type) {
    case 'number':
      return createNumberReader(feature.start, parseNumber);
    case 'boolean':
      return createNumberReader(feature.start, parseBoolean);
    case 'date':
      return createDateReader(feature.start, feature.date ?? UNSTORED_DATE_PARTS);
    case 'category':
      return createCategoryReader(feature);
    case 'text':
      return createTextReader(feature.start, feature.text!);
  }
}

function withSteps({ start, steps }: EncodedFeature, read: Reader['read']): Reader['read'] {
  if (!steps) return read;
  return (value, out) => {
    const isRead = read(value, out);
    for (let cell = 0; cell < steps.length; cell++) {
      const own: CellSteps | null = steps[cell]!;
      if (own) out[start + cell] = applyCellSteps(own, out[start + cell]!);
    }
    return isRead;
  };
}

function createNumberReader(at: number, parse: (value: unknown) => number | undefined): Reader['read'] {
  return (value, out) => {
    const parsed = parse(value);
    out[at] = parsed ?? NaN;
    return parsed !== undefined;
  };
}

function createDateReader(at: number, parts: DateParts): Reader['read'] {
  return (value, out) => {
    const moment = parseDate(value);
    writeDateParts(parts, moment ?? NaN, out, at);
    return moment !== undefined;
  };
}

function createTextReader(at: number, parts: TextParts): Reader['read'] {
  return (value, out) => {
    const text = parseText(value);
    writeTextParts(parts, text ?? null, out, at);
    return text !== undefined;
  };
}

function createCategoryReader(feature: EncodedFeature): Reader['read'] {
  const { start, width, encoding, unknown, values, fill } = feature;
  const codeOf = createCodeReader(feature);
  return (value, out) => {
    const code = codeOf(value);
    if (code === undefined) {
      const cells = isMissing(value) && fill === undefined ? undefined : unknown;
      for (let i = 0; i < width; i++) out[start + i] = cells?.[i] ?? NaN;
    } else if (encoding === 'one-hot') {
      for (let i = 0; i < width; i++) out[start + i] = i === code ? 1 : 0;
    } else if (values) {
      for (let i = 0; i < width; i++) out[start + i] = values[code * width + i]!;
    } else {
      out[start] = code;
    }
    return isMissing(value) || parseCategory(value) !== undefined;
  };
}

/** The number of a value's category; undefined where it has none. */
export function createCodeReader({ categories, fill }: EncodedFeature): (value: unknown) => number | undefined {
  const codes = new Map(categories!.map(({ value }, code) => [value, code]));
  const ofMissing = fill === undefined ? undefined : codes.get(fill);
  return (value) => {
    if (isMissing(value)) return ofMissing;
    const name = parseCategory(value);
    return name === undefined ? undefined : codes.get(name);
  };
}

/** A text, null where it is missing, undefined for a value that is none (an object, an infinite number). */
export function parseText(value: unknown): string | null | undefined {
  return isMissing(value) ? null : parseCategory(value);
}

/** Why a value cannot be the feature's. */
export function describeProblem(feature: EncodedFeature, value: unknown): string {
  if (feature.required && isMissing(value))
    return 'is missing, and the model was made for complete rows only (handle_missing: drop): give it a value';
  const wanted = {
    number: 'a finite number',
    boolean: 'true or false',
    category: 'a string, number or boolean',
    date: 'an ISO-8601 date such as 2024-05-31T12:00:00Z',
    text: 'a string',
  };
  const got =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 60))
      : typeof value === 'object'
        ? 'an object'
        : String(value);
  return `must be ${wanted[feature.type]} or null, got ${got}`;
}
