/** What the values of a column mean. */
export type ColumnType = 'number' | 'boolean' | 'category' | 'date' | 'text' | 'id' | 'constant';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** A calendar day, with a time where there is one, as ISO 8601 writes them. */
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const MISSING_NUMBERS = new Set(['na', 'n/a', 'nan', 'null', 'none', '?', '-']);
/** Below this many rows "all different" says nothing. */
const LEAST_ROWS_FOR_ID = 20;

/** Null, undefined, NaN and blank strings mean "not known" in every column. */
export function isMissing(value: unknown): boolean {
  return value === null || value === undefined || value !== value || (typeof value === 'string' && value.trim() === '');
}

/**
 * Reads a number: a number, a big integer, a boolean (0 or 1) or a string such as "29.85".
 * @returns NaN for a missing value and for the usual words for one ("NA", "?"); undefined for anything that is no finite number
 */
export function parseNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value - value === 0 ? value : value !== value ? NaN : undefined;
  if (value === null || value === undefined) return NaN;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  if (trimmed === '' || MISSING_NUMBERS.has(trimmed.toLowerCase())) return NaN;
  if (!NUMBER.test(trimmed)) return undefined;
  const parsed = Number(trimmed);
  return Number.isFinite(parsed) ? parsed : undefined;
}

/** Reads a boolean: true or false, 1 or 0, or one of these as a string. NaN = missing, undefined = something else. */
export function parseBoolean(value: unknown): number | undefined {
  if (value === true || value === 1 || value === 1n) return 1;
  if (value === false || value === 0 || value === 0n) return 0;
  if (isMissing(value)) return NaN;
  if (typeof value !== 'string') return undefined;
  const word = value.trim().toLowerCase();
  if (word === 'true' || word === '1') return 1;
  return word === 'false' || word === '0' ? 0 : undefined;
}

/**
 * Reads a moment: a Date or an ISO-8601 string (without a zone it is taken as UTC).
 * @returns milliseconds since 1970 (UTC); NaN for a missing value, undefined for anything else
 */
export function parseDate(value: unknown): number | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime();
  if (isMissing(value)) return NaN;
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  if (!ISO_DATE.test(trimmed)) return undefined;
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/.test(trimmed.slice(10));
  const moment = Date.parse(trimmed.replace(' ', 'T') + (trimmed.length > 10 && !hasZone ? 'Z' : ''));
  return Number.isNaN(moment) ? undefined : moment;
}

/** The name a category is known by, or undefined for a value that can be none (an object, an infinite number). */
export function parseCategory(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
}

/**
 * Tells what a column means from its values. Numbers in strings are numbers ("29.85"; but not codes such as "00123");
 * blanks are missing. All-different strings are an `id`, or `text` where they have several words; so are whole numbers that
 * count the rows without a gap.
 */
export function inferColumnType(values: readonly unknown[]): ColumnType {
  const present = values.filter((value) => !isMissing(value));
  if (present.length === 0) return 'constant';
  if (present.every((value) => typeof value === 'boolean' || isTrueOrFalse(value))) {
    return countDistinct(present, parseBoolean) < 2 && present.length === values.length ? 'constant' : 'boolean';
  }
  const numbers = present.map((value) =>
    typeof value === 'boolean' || isCode(value) ? undefined : parseNumber(value),
  );
  if (numbers.every((number) => number !== undefined)) return inferNumberType(numbers, values.length);
  if (present.every((value) => parseDate(value) !== undefined)) {
    return countDistinct(present, parseDate) < 2 && present.length === values.length ? 'constant' : 'date';
  }
  return inferStringType(present, values.length);
}

function isTrueOrFalse(value: unknown): boolean {
  return typeof value === 'string' && /^\s*(?:true|false)\s*$/i.test(value);
}

/** Digits behind a leading zero are a code (a postcode, an account) and must not lose it. */
function isCode(value: unknown): boolean {
  return typeof value === 'string' && /^\s*0\d+\s*$/.test(value);
}

function countDistinct(values: readonly unknown[], parse: (value: unknown) => unknown): number {
  return new Set(values.map(parse)).size;
}

function inferNumberType(parsed: readonly (number | undefined)[], rows: number): ColumnType {
  const numbers = (parsed as number[]).filter((number) => number === number);
  if (numbers.length === 0) return 'constant';
  let low = Infinity;
  let high = -Infinity;
  let areWhole = true;
  for (const number of numbers) {
    low = Math.min(low, number);
    high = Math.max(high, number);
    areWhole &&= Number.isInteger(number);
  }
  if (low === high) return numbers.length === rows ? 'constant' : 'number';
  const countsRows = areWhole && numbers.length >= LEAST_ROWS_FOR_ID && high - low + 1 === numbers.length;
  return countsRows && new Set(numbers).size === numbers.length ? 'id' : 'number';
}

function inferStringType(present: readonly unknown[], rows: number): ColumnType {
  const distinct = new Set<string>();
  let words = 0;
  for (const value of present) {
    const name = parseCategory(value);
    if (name === undefined) return 'text';
    distinct.add(name);
    words += name.split(/\s+/).length;
  }
  if (distinct.size === 1) return present.length === rows ? 'constant' : 'category';
  const isManifold = present.length >= LEAST_ROWS_FOR_ID && distinct.size > 0.5 * present.length;
  if (!isManifold) return 'category';
  return words / present.length >= 3 ? 'text' : 'id';
}
