import { MOST_JSON_DEPTH } from './slices.js';

/** Where a record ends, and why it is none if it is none. `undefined`: the window ends before it does. */
export interface FoundRecord {
  /** First byte of the record; what stands before it is filling. */
  from: number;
  to: number;
  reason?: string;
}

/**
 * Finds the record that begins at `at`, in a window of bytes.
 * @param isLast nothing comes after the window
 */
export type FindRecord = (window: Buffer, at: number, isLast: boolean) => FoundRecord | undefined;

const LF = 10;
const CR = 13;
const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The end of the line, with its line feed; `undefined` when the window does not have it. */
function endOfLine(window: Buffer, at: number, isLast: boolean): number | undefined {
  const feed = window.indexOf(LF, at);
  if (feed >= 0) return feed + 1;
  return isLast ? window.length : undefined;
}

/** Where the next byte of a kind is, looked up once for as long as it stays ahead. */
function createLookAhead(byte: number) {
  let window: Buffer | undefined;
  let next = -1;
  return (in_: Buffer, at: number): number => {
    if (window !== in_ || (next < at && next >= 0)) {
      window = in_;
      next = in_.indexOf(byte, at);
    }
    return next < 0 ? in_.length : next;
  };
}

/** Records as RFC 4180 has them: fields may be quoted, and line breaks within quotes belong to the field. */
export function createCsvFinder(delimiter: number): FindRecord {
  const nextQuote = createLookAhead(QUOTE);
  const nextReturn = createLookAhead(CR);
  return (window, at, isLast) => {
    const to = endOfLine(window, at, isLast);
    if (to === undefined) return undefined;
    // A line without quotes and without a carriage return in its middle needs no closer look.
    const cr = nextReturn(window, at);
    const isPlain = cr >= to || cr === to - 1 || (cr === to - 2 && window[to - 1] === LF);
    if (isPlain && nextQuote(window, at) >= to) return { from: at, to };
    return walkCsv(window, at, { delimiter, lineEnd: to, isLast });
  };
}

function walkCsv(
  window: Buffer,
  start: number,
  { delimiter, lineEnd, isLast }: { delimiter: number; lineEnd: number; isLast: boolean },
): FoundRecord | undefined {
  const bad = (reason: string) => ({ from: start, to: lineEnd, reason });
  const isEnd = (at: number) =>
    at === window.length ||
    window[at] === LF ||
    (window[at] === CR && (at + 1 === window.length || window[at + 1] === LF));
  let at = start;
  for (;;) {
    if (window[at] === QUOTE) {
      for (at = at + 1; ; at += 2) {
        at = window.indexOf(QUOTE, at);
        if (at < 0) return isLast ? bad('a quote is opened and never closed') : undefined;
        if (window[at + 1] !== QUOTE) break;
      }
      at++;
      if (at === window.length && !isLast) return undefined;
      if (window[at] !== delimiter && !isEnd(at)) return bad('text stands after a closing quote');
    } else {
      while (at < window.length && window[at] !== delimiter && window[at] !== LF && window[at] !== CR) at++;
      if (window[at] === CR && !isEnd(at)) return bad('a carriage return stands in the middle of a line');
    }
    if (at >= window.length || window[at] !== delimiter) break;
    at++;
  }
  if (at + 1 >= window.length && !isLast && window[at] !== LF) return undefined;
  if (window[at] === CR) at++;
  return { from: start, to: Math.min(window.length, at + 1) };
}

const TOO_DEEP = `nested deeper than ${MOST_JSON_DEPTH} levels`;

/** A line is a record, as in NDJSON. One that is nested too deep is bad. */
export const findLine: FindRecord = (window, at, isLast) => {
  const to = endOfLine(window, at, isLast);
  if (to === undefined) return undefined;
  // It takes two bytes to open and close a level.
  const isDeep = to - at > 2 * MOST_JSON_DEPTH && walkJson(window, at, to).depth > MOST_JSON_DEPTH;
  return { from: at, to, ...(isDeep ? { reason: TOO_DEEP } : {}) };
};

/** Where the JSON value that begins at `at` ends (undefined: not before `end`), and how deep it is nested. */
function walkJson(window: Buffer, at: number, end: number): { to?: number; depth: number } {
  let open = 0;
  let depth = 0;
  for (; at < end; at++) {
    const byte = window[at];
    if (byte === QUOTE) {
      for (at++; at < end && window[at] !== QUOTE; at++) if (window[at] === BACKSLASH) at++;
      if (at >= end) break;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth = Math.max(depth, ++open);
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      open--;
    } else continue;
    if (open <= 0) return { to: at + 1, depth };
  }
  return { depth };
}

const isSpace = (byte: number | undefined) => byte === 32 || byte === LF || byte === CR || byte === 9;

/**
 * The values of a JSON document: the elements of its array, or values one after the other.
 * @param state whether the window begins within the array; kept up to date
 */
export function createJsonFinder(state: { isInArray: boolean }): FindRecord {
  return (window, start, isLast) => {
    let at = start;
    let isInArray = state.isInArray;
    for (; at < window.length; at++) {
      const byte = window[at];
      if (byte === OPEN_ARRAY && !isInArray) isInArray = true;
      else if (byte === CLOSE_ARRAY && isInArray) isInArray = false;
      else if (!isSpace(byte) && byte !== COMMA) break;
    }
    const found = at < window.length ? findValue(window, at, isLast) : isLast ? { from: at, to: at } : undefined;
    if (found) state.isInArray = isInArray;
    return found;
  };
}

function findValue(window: Buffer, from: number, isLast: boolean): FoundRecord | undefined {
  const first = window[from];
  if (first === OPEN_OBJECT || first === OPEN_ARRAY || first === QUOTE) {
    const { to, depth } = walkJson(window, from, window.length);
    if (to === undefined)
      return isLast ? { from, to: window.length, reason: 'the file ends within a value' } : undefined;
    return { from, to, ...(depth > MOST_JSON_DEPTH ? { reason: TOO_DEEP } : {}) };
  }
  let to = from;
  while (to < window.length && window[to] !== COMMA && window[to] !== CLOSE_ARRAY && !isSpace(window[to])) to++;
  return to === window.length && !isLast ? undefined : { from, to: Math.max(to, from + 1) };
}
