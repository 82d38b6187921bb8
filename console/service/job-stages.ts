import type { components } from './client.js';

type JobType = components['schemas']['Job']['type'];

/** The stages of the types of job that go through fixed ones, in their order. Some are left out where they are not asked for. */
export const JOB_STAGES: Partial<Record<JobType, readonly string[]>> = {
  ingest: ['plan', 'extract', 'validate', 'register'],
  preprocess: ['plan', 'prepare', 'register'],
  replay: ['plan', 'replay', 'register'],
  train: ['plan', 'features', 'search', 'fit', 'cross_validate', 'evaluate', 'register', 'deploy'],
  deploy: ['open', 'verify', 'holdout', 'switch', 'confirm'],
  experiment: ['open', 'observe'],
  materialize: ['plan', 'fill', 'publish'],
  erase: ['open', 'memory', 'rows', 'files', 'search', 'report'],
  reencrypt: ['seal', 'report'],
};
