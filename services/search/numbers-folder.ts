import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { SharedNumbers } from '../kinds/recipe.js';

/** What a file can be read into at once is 2 GiB. */
const MOST_BYTES = 2 ** 30;
const DIGEST_BYTES = 32;

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest();

/**
 * Numbers in files of a folder, each after the digest of its bytes: one that differs is not taken. A file appears whole or not at all, and of
 * two processes that make the same the later one's stays.
 */
export class NumbersFolder implements SharedNumbers {
  /** @param folder which exists, and which whoever has made it removes */
  constructor(private readonly folder: string) {}

  async take<T>(key: string): Promise<T | undefined> {
    const bytes = await readFile(this.#fileOf(key)).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const content = bytes.subarray(DIGEST_BYTES);
    return sha256(content).equals(bytes.subarray(0, DIGEST_BYTES)) ? (deserialize(content) as T) : undefined;
  }

  async keep(key: string, value: object, bytes: number): Promise<void> {
    if (bytes > MOST_BYTES) return;
    const content = serialize(value);
    const partial = join(this.folder, `${randomUUID()}.partial`);
    try {
      await writeFile(partial, [sha256(content), content], { mode: 0o600 });
      await rename(partial, this.#fileOf(key));
    } catch {
      // A courtesy: a full disk, or a sweep that is over, must not fail the trial.
      await rm(partial, { force: true });
    }
  }

  #fileOf = (key: string) => join(this.folder, sha256(key).toString('hex'));
}
