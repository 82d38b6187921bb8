import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A setting `ENCRYPTION_KEYS` of one new key. */
export const newKeys = (id = 'k1'): string => `${id}:${randomBytes(32).toString('base64')}`;

/** All files of models, datasets, uploads, spools and events below a state folder. */
export function ownFiles(stateDir: string): string[] {
  return ['data', 'models', 'spool', 'events'].flatMap((folder) => {
    try {
      return readdirSync(join(stateDir, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    } catch {
      return [];
    }
  });
}

/** Those of them that have a text, as they lie on the disk. */
export const filesHolding = (stateDir: string, text: string): string[] =>
  ownFiles(stateDir).filter((file) => readFileSync(file).includes(text));
