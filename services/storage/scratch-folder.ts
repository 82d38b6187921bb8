import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isOrphaned, ownerName } from '../spool/owner.js';

const BEGINNING = 'mlops-scratch~';

/** A private folder among the temporary files, whose name tells which process has made it; the caller removes it. */
export const makeScratchFolder = (): Promise<string> => mkdtemp(join(tmpdir(), `${BEGINNING}${ownerName()}~`));

/**
 * Removes what processes of this machine have left that were killed: it takes room, and what is encrypted elsewhere lies in it in the clear.
 */
export async function clearScratchFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = name.slice(BEGINNING.length);
    const folder = join(tmpdir(), name);
    // Whether processes of other machines live cannot be seen from here.
    if (!name.startsWith(BEGINNING) || owner.split('~', 1)[0] !== encodeURIComponent(hostname())) continue;
    if (await isOrphaned(owner, folder)) await rm(folder, { recursive: true, force: true });
  }
}
