import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import type { tokenRequestSchema } from '../../core/schemas/service-token.js';
import type { TokenStore } from './token-store.js';

/**
 * Keeps a token that works in a file, for a program that reads it there. Where the file has none of this name and role, one is made in the
 * place of any other of the name: that one was lost, or is not what is wanted any more. Repeatable.
 * @param by who is written down for it
 * @returns whether the token was made now
 */
export async function keepTokenFile(
  tokens: TokenStore,
  wanted: z.output<typeof tokenRequestSchema>,
  { path, by }: { path: string; by: string },
): Promise<boolean> {
  const inUse = await tokens.findInUse(wanted.name);
  if (inUse && inUse.role === wanted.role && (await tokens.isTokenOf(inUse.token_id, await readToken(path))))
    return false;
  if (inUse) await tokens.revoke(inUse.token_id, by);
  const { token } = await tokens.create(wanted, by);
  await mkdir(dirname(path), { recursive: true });
  // Its group may read it: programs in containers of their own have another account.
  await writeFile(`${path}.new`, token, { mode: 0o640 });
  await rename(`${path}.new`, path);
  return true;
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
