import { join } from 'node:path';
import { z } from 'zod';
import type { SharedRoot } from './shared-files.js';

const S3_PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^/]+(?:\/[^/]+)*)?\/?)?$/;

const storagePath = () =>
  z
    .string()
    .refine(
      (value) => !/^s3:/i.test(value) || S3_PLACE.test(value),
      'must be a folder, or a bucket and a prefix such as s3://bucket/mlops',
    )
    .optional();

/** Where models and datasets are kept. */
export const storageEnvironment = {
  MODEL_STORAGE_PATH: storagePath().describe(
    'Folder for model files that all machines share, $STATE_DIR/models without it; or `s3://bucket/prefix`, of which each machine keeps copies there',
  ),
  DATA_STORAGE_PATH: storagePath().describe(
    'Folder for datasets that all machines share, $STATE_DIR/data without it; or `s3://bucket/prefix`, of which each machine keeps copies there',
  ),
};

type StorageEnvironment = Partial<
  Record<'MODEL_STORAGE_PATH' | 'DATA_STORAGE_PATH' | 'S3_ACCESS_KEY_ID' | 'S3_SECRET_ACCESS_KEY', string>
>;

export interface StorageSettings {
  modelStoragePath: string;
  dataStoragePath: string;
  /** Which of these two are copies of what is in the S3 store. */
  sharedRoots: readonly SharedRoot[];
}

/** Where models and data are on this machine, and what of it is a copy of the S3 store. @param problems gets what is missing */
export function readStorageSettings(
  env: StorageEnvironment,
  paths: { stateDir: string; absolutePath: (path: string) => string },
  problems: string[],
): StorageSettings {
  const sharedRoots: SharedRoot[] = [];
  const folderOf = (setting: 'MODEL_STORAGE_PATH' | 'DATA_STORAGE_PATH', name: 'models' | 'data') => {
    const value = env[setting];
    const root = join(paths.stateDir, name);
    const [, bucket, prefix = ''] = S3_PLACE.exec(value ?? '') ?? [];
    if (bucket === undefined) return value ? paths.absolutePath(value) : root;
    if (!env.S3_ACCESS_KEY_ID || !env.S3_SECRET_ACCESS_KEY)
      problems.push(`${setting} names an S3 store, but S3_ACCESS_KEY_ID or S3_SECRET_ACCESS_KEY is not set: set both.`);
    // Models and data may have one prefix together.
    const own = [prefix, name].filter((part) => part !== '').join('/');
    sharedRoots.push({ root, records: join(paths.stateDir, 'shared', name), bucket, prefix: own });
    return root;
  };
  return {
    modelStoragePath: folderOf('MODEL_STORAGE_PATH', 'models'),
    dataStoragePath: folderOf('DATA_STORAGE_PATH', 'data'),
    sharedRoots,
  };
}
