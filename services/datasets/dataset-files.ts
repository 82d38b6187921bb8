import { join } from 'node:path';
import { DATA_FILE } from './manifest.js';

/** The Parquet files with the rows of a dataset, in their order. @param folder of all datasets */
export function datasetFiles(folder: string, datasetId: string): string[] {
  return [join(folder, datasetId, DATA_FILE)];
}
