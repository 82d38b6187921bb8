import { open } from 'node:fs/promises';

/** Forces a file, or the names in a folder, onto the disk, so that a power cut cannot take back what was told to be done. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
