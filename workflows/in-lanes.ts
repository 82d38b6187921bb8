/** Items under way at a time. */
const LANES = 16;
/** Activities of one step, at most: with more items each takes several, so that a history of thousands of items stays far below its limits. */
const MOST_CALLS = 400;

/**
 * Runs `work` on all items, several calls at a time: one that is slow or waits to be tried again holds up one lane, not the others. After a
 * failure no further call begins, and it is thrown once those under way have ended.
 * @param work is given items `from` (included) to `to`
 */
export async function inLanes(
  count: number,
  work: (range: { from: number; to: number }) => Promise<unknown>,
): Promise<void> {
  const size = Math.max(1, Math.ceil(count / MOST_CALLS));
  let next = 0;
  let failure: { error: unknown } | undefined;
  const lane = async () => {
    while (next < count && !failure) {
      const from = next;
      next = Math.min(count, from + size);
      try {
        await work({ from, to: next });
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, Math.ceil(count / size)) }, lane));
  if (failure) throw failure.error;
}
