import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isOrphaned, ownerName } from '../spool/owner.js';
import type { MeasuredMetric } from './merge-metrics.js';
import { announcementsFolder } from './metrics-server.js';

/** A worker that has not answered by now is left out. */
const ANSWER_WITHIN_MS = 1000;

/** The metrics of all workers of this machine, as far as they answer. */
export async function readWorkerMetrics(stateDir: string): Promise<MeasuredMetric[][]> {
  const folder = announcementsFolder(stateDir);
  // The addresses of other machines that share the folder are loopback addresses of theirs.
  const [host] = ownerName().split('~');
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.startsWith(`${host}~`));
  const answers = await Promise.all(files.map((file) => readOne(join(folder, file))));
  return answers.filter((answer) => answer !== undefined);
}

async function readOne(file: string): Promise<MeasuredMetric[] | undefined> {
  try {
    if (await isOrphaned(basename(file, '.json'), file)) {
      await rm(file, { force: true });
      return undefined;
    }
    const { url } = JSON.parse(await readFile(file, 'utf8')) as { url: string };
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return (await response.json()) as MeasuredMetric[];
  } catch {
    // It is starting, stopping or busy; the next scrape asks again.
    return undefined;
  }
}
