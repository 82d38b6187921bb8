import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Checkpoint } from './candidate.js';

/** A checkpoint at most this often: writing one must stay cheap beside fitting. */
const CHECKPOINT_EVERY_MS = 2000;

/** Writes at most every two seconds, in step with the fit: the fit is synchronous, so this must be too. */
export function createCheckpoint(path: string): Checkpoint {
  let lastMs = performance.now();
  return {
    read(name) {
      try {
        return readFileSync(`${path}.${name}.checkpoint`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    write(name, bytes, isFinished) {
      if (performance.now() - lastMs < CHECKPOINT_EVERY_MS && !isFinished) return;
      writeSynchronously(`${path}.${name}.checkpoint`, bytes());
      lastMs = performance.now();
    },
  };
}

function writeSynchronously(path: string, bytes: Uint8Array): void {
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, bytes);
  const descriptor = openSync(partial, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(partial, path);
}
