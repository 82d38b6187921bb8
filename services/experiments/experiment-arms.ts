import { contextKeyOf, stratumOf, type AdaptiveAllocation } from '../../core/decisions/allocation.js';
import type { ArmFinding } from '../../core/decisions/experiment-evidence.js';
import { armAt } from '../../ml/sequential/arm-propensities.js';
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
  /** What was found when it was retired. */
  finding?: ArmFinding;
}

export interface ExperimentSlice {
  firstBucket: number;
  endBucket: number;
}

/** Experiments of one layer share its entities by this draw, so that none is in two of them; other layers draw anew. */
export const layerBucketOf = (layer: string, entity: string): number => bucketOf(`layer:${layer}`, entity);

/** Parts of a layer: experiments take whole ones. */
export const BUCKETS = 10_000;

/** An arm, and how it came to be an entity's. */
export interface DrawnArm<Arm> {
  arm: Arm;
  /** The chance with which it was drawn, in (0, 1]. */
  propensity: number;
  /** Of an adaptive allocation: whose chances it was drawn by. */
  stratum?: string;
}

/**
 * The arm of an entity of the experiment: the same at each call and in each process. An adaptive allocation draws it by the chances of the
 * entity's batch, which never change once the batch is open.
 * @returns undefined while the entity's batch is not open: it does not take part yet
 */
export function drawArm<Arm extends { weight: number }>(
  { id, arms, allocation }: { id: string; arms: readonly Arm[]; allocation?: AdaptiveAllocation | null },
  entity: string,
  features: Readonly<Record<string, unknown>>,
): DrawnArm<Arm> | undefined {
  const place = (bucketOf(id, entity) + 0.5) / BUCKETS;
  if (!allocation) {
    const at = armAt(
      arms.map(({ weight }) => weight),
      place,
    );
    return { arm: arms[at]!, propensity: arms[at]!.weight };
  }
  const batch = Math.floor((bucketOf(`batch:${id}`, entity) * allocation.batches) / BUCKETS);
  const key = contextKeyOf(allocation.context, features);
  const chances = allocation.opened[batch]?.chances[key];
  if (!chances) return undefined;
  const at = armAt(chances, place);
  return { arm: arms[at]!, propensity: chances[at]!, stratum: stratumOf(batch, key) };
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
