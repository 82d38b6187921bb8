import { isDeepStrictEqual } from 'node:util';

/**
 * Judges stored evidence by its stored rule once more, as it is read.
 * @returns whether the stored verdict came out again; false for evidence of a release whose rule this one does not know
 */
export function isReproduced<Evidence, Rule>(
  judge: (evidence: Evidence, rule: Rule) => object,
  stored: { evidence: unknown; rule: unknown; verdict: unknown },
): boolean {
  try {
    const again = judge(stored.evidence as Evidence, stored.rule as Rule);
    return isDeepStrictEqual(JSON.parse(JSON.stringify(again)), stored.verdict);
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return false;
    throw error;
  }
}
