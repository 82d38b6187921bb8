import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeOutsideData } from './postgres-folders.js';

/** Shows that a folder was made by this service, so that nothing else is ever deleted. */
const MARKER = '.ml-pipeline-state';

const REFUSED: Record<string, string> = {
  EEXIST: 'it is a file',
  ENOTDIR: 'a part of its path is a file',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'that file system can only be read',
};

/** Makes the state folder and marks it as ours. One that has other files in it already may be used, but stays unmarked. */
export function claimStateFolder(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true });
    accessSync(stateDir, constants.W_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new Error(
      `The state cannot be kept in ${stateDir}: ${REFUSED[code] ?? (error as Error).message}. Choose another folder: npm start -- --state-dir <folder>.`,
    );
  }
  if (readdirSync(stateDir).length === 0) writeFileSync(join(stateDir, MARKER), '');
}

/** @throws Error unless the folder is absent or was made by this service. */
export function checkStateFolder(stateDir: string): void {
  if (!existsSync(stateDir) || existsSync(join(stateDir, MARKER)) || readdirSync(stateDir).length === 0) return;
  throw new Error(
    `${stateDir} was not made by this service (it has no ${MARKER}), so --fresh does not delete it. Delete it yourself if nothing in it is needed, or choose another folder with --state-dir.`,
  );
}

/** Deletes the state folder, and what PostgreSQL keeps outside of it. Only for folders that passed `checkStateFolder`. */
export function deleteStateFolder(stateDir: string): void {
  removeOutsideData(stateDir);
  rmSync(stateDir, { recursive: true, force: true });
}
