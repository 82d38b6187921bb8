// Plain Node: it runs before any dependency exists.
import { statfsSync } from 'node:fs';

const MEBIBYTE = 2 ** 20;
/** What the dependencies and the build take below the checkout. */
const INSTALLED_MEBIBYTES = 1700;
/** With less than this a command that failed had no room, whatever it died of: on a full tmpfs that is a bus error. */
const NO_ROOM_MEBIBYTES = 20;
const DISK_FULL = /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i;
const NOT_WRITABLE = /EROFS|EACCES|EPERM|permission denied|read-only file system/i;

/**
 * What to do about a failure of a command or of a file, where its text says more than the step that failed can know.
 * @param {string} text what was written or thrown
 * @param {string} folder where the work is done
 * @returns {string | undefined}
 */
export function explainFailure(text, folder) {
  if (DISK_FULL.test(text) || freeMebibytes(folder) < NO_ROOM_MEBIBYTES)
    return `The disk is full. ${roomNeeded(folder)}`;
  if (NOT_WRITABLE.test(text))
    return `A file could not be written. Run the command as the user whom ${folder} belongs to, and where npm's cache (\`npm config get cache\`) is another's, give it back with chown.`;
  return undefined;
}

/**
 * Minutes of downloading end in an error of some package otherwise.
 * @param {string} folder a checkout without dependencies
 * @throws {Error} where its file system has too little room for them
 */
export function checkRoomToInstall(folder, free = freeMebibytes(folder)) {
  if (free >= INSTALLED_MEBIBYTES) return;
  throw new Error(`Only ${Math.floor(free)} MiB are free below ${folder}. ${roomNeeded(folder)}`);
}

const roomNeeded = (folder) =>
  `Installing and building take about ${INSTALLED_MEBIBYTES} MiB below ${folder}, and npm's cache (\`npm config get cache\`) some more: free some space and run the command again.`;

function freeMebibytes(folder) {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return (bavail * bsize) / MEBIBYTE;
  } catch {
    // The folder is gone, or this system does not tell: no reason to stop anything.
    return Infinity;
  }
}
