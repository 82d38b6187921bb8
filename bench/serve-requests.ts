import { rawRequest } from './socket-load.js';

/** One kind of request that load is made of. */
export interface RequestKind {
  name: string;
  path: string;
  bodyOf: (row: number) => object;
}

const INSTANCES = 50;
/** Different requests, in turn. */
const DIFFERENT = 200;

/** Four of the features of `user_behavior`. */
export function featuresOf(row: number): Record<string, number> {
  const at = (step: number) => ((row * step) % 199) / 199;
  return { activity_score: at(7), project_count: row % 20, collaboration_score: at(11), ai_usage_frequency: at(13) };
}

export const PLAIN: RequestKind = {
  name: 'plain',
  path: '/predict/user-behavior',
  bodyOf: (row) => ({ user_id: `user_${row}`, features: featuresOf(row) }),
};

export const BATCH_OF_50: RequestKind = {
  name: 'batch_of_50',
  path: '/predict/user_behavior/batch',
  bodyOf: (row) => ({ instances: Array.from({ length: INSTANCES }, (_, k) => ({ features: featuresOf(row + k) })) }),
};

export function requestsOf(url: string, { path, bodyOf }: RequestKind): Buffer[] {
  return Array.from({ length: DIFFERENT }, (_, row) => rawRequest(url, path, JSON.stringify(bodyOf(row))));
}
