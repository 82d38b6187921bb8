import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE } from './manifest.js';
import { bringFolder } from '../storage/shared-files.js';

/** The Parquet files with the rows of a dataset, in their order, brought to this machine. @param folder of all datasets */
export async function datasetFiles(folder: string, datasetId: string): Promise<string[]> {
  const own = join(folder, datasetId);
  await bringFolder(own);
  const names = listNames(own).filter((name) => /^data(-\d+)?\.parquet$/.test(name));
  return (names.length > 0 ? names.sort() : [DATA_FILE]).map((name) => join(own, name));
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
