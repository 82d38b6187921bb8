import { createHash } from 'node:crypto';

/** `rest` sees the present version as `baseline` does, but is not compared. */
export type Arm = 'candidate' | 'baseline' | 'rest';

const BUCKETS = 10_000;

/** In which of 10,000 equal buckets an entity lies. The salt makes each rollout draw anew. */
export function bucketOf(salt: string, entity: string): number {
  return createHash('sha256').update(salt).update('\0').update(entity).digest().readUInt32BE(0) % BUCKETS;
}

/**
 * Which arm an entity belongs to: the first buckets see the new version, as many from the middle on are the cohort that it is
 * compared with. A larger share only adds entities to both.
 * @param share percentage that the new version answers, above 0 and at most 50
 */
export function armOf(salt: string, entity: string, share: number): Arm {
  const bucket = bucketOf(salt, entity);
  const size = Math.max(1, Math.round((share / 100) * BUCKETS));
  if (bucket < size) return 'candidate';
  return bucket >= BUCKETS / 2 && bucket < BUCKETS / 2 + size ? 'baseline' : 'rest';
}
