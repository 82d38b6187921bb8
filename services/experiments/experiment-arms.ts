import { bucketOf } from '../serving/assign-arm.js';

/** One version in an experiment. */
export interface ExperimentArmRoute {
  arm: string;
  version: string;
  digest: string;
  /** Share of the experiment's entities; all add up to 1. */
  weight: number;
  /** It did harm: its entities are answered by the control, and no longer count. */
  retired: boolean;
}

export interface ExperimentSlice {
  firstBucket: number;
  endBucket: number;
}

/** Experiments of one model share its entities by this draw, so that none is in two of them. */
export const layerBucketOf = (model: string, entity: string): number => bucketOf(`layer:${model}`, entity);

const BUCKETS = 10_000;

/** The arm of an entity of the experiment: the same at each call and in each process. */
export function experimentArmOf<Arm extends { weight: number }>(id: string, entity: string, arms: readonly Arm[]): Arm {
  const place = (bucketOf(id, entity) + 0.5) / BUCKETS;
  let end = 0;
  for (const arm of arms) if (place < (end += arm.weight)) return arm;
  return arms.at(-1)!;
}

/**
 * The first free slice that is wide enough.
 * @param taken slices of the experiments that run, in any order
 * @returns undefined when there is no room
 */
export function freeSlice(taken: readonly ExperimentSlice[], traffic: number): ExperimentSlice | undefined {
  const width = Math.max(1, Math.round((traffic / 100) * BUCKETS));
  let firstBucket = 0;
  for (const slice of taken.toSorted((a, b) => a.firstBucket - b.firstBucket)) {
    if (slice.firstBucket - firstBucket >= width) break;
    firstBucket = Math.max(firstBucket, slice.endBucket);
  }
  return firstBucket + width <= BUCKETS ? { firstBucket, endBucket: firstBucket + width } : undefined;
}
