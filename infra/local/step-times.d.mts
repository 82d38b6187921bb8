/** Where what is kept between checkouts lies. */
export function cacheFolder(env?: NodeJS.ProcessEnv): string;
/** @returns the median of the last few runs of a step here in seconds; undefined where it never ran to its end */
export function usualSeconds(title: string): number | undefined;
/** Keeps how long a step took that has ended well. */
export function keepSeconds(title: string, seconds: number): void;
/** Seconds as people say them: `4 s`, `3 min 20 s`. */
export function sayFor(seconds: number): string;
/**
 * `12 s, about 5 s left`.
 * @param elapsed seconds so far
 * @param known how much of the work is done, in [0, 1], and how many seconds it took before
 */
export function sayTime(elapsed: number, known?: { share?: number; usual?: number }): string;
