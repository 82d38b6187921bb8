// How long the steps of a start took on this machine, so that the next one can say how long it has to go. Plain Node: it
// runs before any dependency exists.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const KEPT = 5;

/** Beside the Temporal server: what is kept between checkouts. */
export const cacheFolder = (env = process.env) =>
  env.MLOPS_CACHE_DIR || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ml-pipeline-service');

const file = () => join(cacheFolder(), 'step-times.json');

function readTimes() {
  try {
    const times = JSON.parse(readFileSync(file(), 'utf8'));
    return typeof times === 'object' && times !== null ? times : {};
  } catch {
    // None yet, or half of a file: then nothing is known.
    return {};
  }
}

/**
 * @param {string} title of a step
 * @returns {number | undefined} the median of its last few runs here in seconds; undefined where it never ran to its end
 */
export function usualSeconds(title) {
  const kept = readTimes()[title];
  const times = Array.isArray(kept) ? kept.filter((one) => Number.isFinite(one)).sort((a, b) => a - b) : [];
  return times[Math.floor(times.length / 2)];
}

/**
 * @param {string} title of a step that has ended well
 * @param {number} seconds that it took
 */
export function keepSeconds(title, seconds) {
  try {
    const times = readTimes();
    times[title] = [...(Array.isArray(times[title]) ? times[title] : []), Math.round(seconds * 10) / 10].slice(-KEPT);
    mkdirSync(dirname(file()), { recursive: true });
    // Two that end at once lose one of the two times, never the file.
    writeFileSync(`${file()}.${process.pid}`, JSON.stringify(times));
    renameSync(`${file()}.${process.pid}`, file());
  } catch {
    // A home that cannot be written to: the next start will not know, and nothing else depends on it.
  }
}

/** Seconds as people say them: `4 s`, `3 min 20 s`. */
export function sayFor(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * `12 s, about 5 s left`; `21 s, longer than the usual 16 s`; without a former run and a share only `12 s`.
 * @param {number} elapsed seconds so far
 * @param {{ share?: number, usual?: number }} known how much of the work is done, in [0, 1], and how long it took before
 */
export function sayTime(elapsed, { share, usual } = {}) {
  const far = share === undefined ? '' : `${Math.round(share * 100)} %, `;
  const here = `${far}${sayFor(elapsed)}`;
  // The pace so far tells more than former runs, once there is enough of it.
  if (share !== undefined && share > 0.1 && elapsed > 2)
    return `${here}, about ${sayFor(elapsed * (1 / share - 1))} left`;
  if (usual === undefined || usual < 1) return here;
  return elapsed <= usual
    ? `${here}, about ${sayFor(usual - elapsed)} left`
    : `${here}, longer than the usual ${sayFor(usual)}`;
}
