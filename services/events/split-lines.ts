import { MOST_EVENT_BYTES } from './read-event.js';

interface Line {
  /** Counting from 1. */
  number: number;
  bytes: Uint8Array;
}

/**
 * Cuts a stream into lines, those of a piece at a time; empty ones are left out. Of a line that is too long only so much is kept as shows that it is.
 */
export async function* splitLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<Line[]> {
  let rest: Uint8Array = new Uint8Array(0);
  let number = 1;
  for await (const chunk of body) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const bytes = join(rest, chunk.subarray(start, end));
      if (!isBlank(bytes)) lines.push({ number, bytes });
      rest = new Uint8Array(0);
      number += 1;
      start = end + 1;
    }
    rest = join(rest, chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (!isBlank(rest)) yield [{ number, bytes: rest }];
}

function join(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (before.length === 0) return after;
  if (before.length > MOST_EVENT_BYTES) return before;
  return Buffer.concat([before, after]);
}

const isBlank = (bytes: Uint8Array) => bytes.every((byte) => byte === 32 || byte === 13 || byte === 9);
