import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** The last 4 KiB of a log. @param fromByte where its newest run begins */
export function readTail(file: string, fromByte = 0): string {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(Math.max(0, size - fromByte), 4096));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
