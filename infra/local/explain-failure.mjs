// Plain Node: it runs before any dependency exists.

const DISK_FULL = /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i;
const NOT_WRITABLE = /EROFS|EACCES|EPERM|permission denied|read-only file system/i;

/**
 * What to do about a failure of a command or of a file, where its text says more than the step that failed can know.
 * @param {string} text what was written or thrown
 * @param {string} folder where the work is done
 * @returns {string | undefined}
 */
export function explainFailure(text, folder) {
  if (DISK_FULL.test(text))
    return `The disk is full. Installing and building take about 2 GiB below ${folder}, and npm's cache (\`npm config get cache\`) some more: free some space and run the command again.`;
  if (NOT_WRITABLE.test(text))
    return `A file could not be written. Run the command as the user whom ${folder} belongs to, and where npm's cache (\`npm config get cache\`) is another's, give it back with chown.`;
  return undefined;
}
