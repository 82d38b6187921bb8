import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

const MEBIBYTE = 2 ** 20;
/** An empty database and the workflows take about a third of it; on less PostgreSQL stops in the middle of something. */
const LEAST_MEBIBYTES = 250;

/** @throws Error where the file system of the state folder has too little room to start on */
export function checkDiskSpace(stateDir: string, readFree: (folder: string) => number = freeBytes): void {
  let folder = stateDir;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const free = Math.floor(readFree(folder) / MEBIBYTE);
  if (free >= LEAST_MEBIBYTES) return;
  throw new Error(
    `Only ${free} MiB are free where the state is kept (${stateDir}), and at least ${LEAST_MEBIBYTES} MiB are needed. Free some space, or keep the state elsewhere: npm start -- --state-dir <folder>.`,
  );
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
