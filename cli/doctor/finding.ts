import type { components } from '../../clients/typescript/client.js';

/** What `GET /health` answers. */
export type Health = components['schemas']['Health'];

/** One thing that doctor has looked at. */
export interface Finding {
  /** Stable, for programs: `node_version`, `disk_space`, `dependency:database` … */
  check: string;
  state: 'ok' | 'warning' | 'problem';
  message: string;
  /** What to do; of what is not as it should be. */
  repair?: string;
}

export const well = (check: string, message: string): Finding => ({ check, state: 'ok', message });
export const warning = (check: string, message: string, repair: string): Finding => ({
  check,
  state: 'warning',
  message,
  repair,
});
export const problem = (check: string, message: string, repair: string): Finding => ({
  check,
  state: 'problem',
  message,
  repair,
});

const GIB = 2 ** 30;
export const LEAST_FREE_GIB = 2;

/** @param folder as people know it */
export function judgeDisk(check: string, folder: string, freeBytes: number): Finding {
  const free = `${(freeBytes / GIB).toFixed(1)} GiB free at ${folder}`;
  if (freeBytes >= LEAST_FREE_GIB * GIB) return well(check, free);
  const repair =
    'Make room, or move the folder: DATA_STORAGE_PATH, MODEL_STORAGE_PATH and STATE_DIR say where it is. `POST /retention/run` deletes what nothing needs.';
  return freeBytes < 0.25 * GIB ? problem(check, free, repair) : warning(check, free, repair);
}

/** @param version such as `20.19.1` @param wanted such as `>=20.19` */
export function judgeNode(version: string, wanted: string): Finding {
  const [least = [0, 0], own = [0, 0]] = [wanted, version].map((text) =>
    text.replace(/^\D*/, '').split('.').map(Number),
  );
  const isNewEnough = own[0]! > least[0]! || (own[0] === least[0] && own[1]! >= (least[1] ?? 0));
  return isNewEnough
    ? well('node_version', `Node ${version}`)
    : problem(
        'node_version',
        `Node ${version}, but ${wanted} is needed`,
        'Install a newer one from https://nodejs.org or by your version manager.',
      );
}

const MOST_SKEW_SECONDS = 30;

/**
 * @param dateHeader of an answer, in whole seconds
 * @param sentMs @param receivedMs when the call began and ended by our clock
 */
export function judgeClock(dateHeader: string | null, sentMs: number, receivedMs: number): Finding | undefined {
  const theirs = Date.parse(dateHeader ?? '');
  if (Number.isNaN(theirs)) return undefined;
  // Their time lies somewhere between the two, told to the second below.
  const ahead = theirs > receivedMs ? theirs - receivedMs : theirs + 1000 < sentMs ? theirs + 1000 - sentMs : 0;
  const seconds = Math.round(ahead / 1000);
  if (Math.abs(seconds) <= MOST_SKEW_SECONDS) return well('clock', 'the clocks here and of the service agree');
  return warning(
    'clock',
    `the clock of the service is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the one here`,
    'Set both by NTP (`timedatectl set-ntp true`): tokens expire too early or too late, and windows of time are cut at other places.',
  );
}
