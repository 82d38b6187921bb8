/** Attempts before a delivery is given up; with the delays between them about 25 hours. */
export const MOST_ATTEMPTS = 11;

const FIRST_SECONDS = 5;
const GROWTH = 4;
const LONGEST_SECONDS = 6 * 3600;
/** Each delay is up to this share shorter or longer, so that deliveries which failed together do not come back together. */
const JITTER = 0.2;

/**
 * Seconds until a delivery is tried again.
 * @param attempts made so far, 1 at least
 * @param draw a random number in [0, 1)
 * @returns undefined when it is given up
 */
export function retryDelaySeconds(attempts: number, draw: number): number | undefined {
  if (attempts >= MOST_ATTEMPTS) return undefined;
  const seconds = Math.min(LONGEST_SECONDS, FIRST_SECONDS * GROWTH ** (attempts - 1));
  return seconds * (1 + JITTER * (2 * draw - 1));
}
