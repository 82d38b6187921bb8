import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What one library reached on one set, as `baselines.json` beside the data sets has it. */
export interface Baseline {
  section: string;
  set: string;
  model: string;
  [figure: string]: string | number;
}

/** @param dataDir the folder with the data sets */
export function readBaselines(dataDir: string): Baseline[] {
  return JSON.parse(readFileSync(join(dataDir, 'baselines.json'), 'utf8')) as Baseline[];
}

/** What people promised is no library's figure. */
const PLAN = 'the plan itself';

/** The peer with the best value of a figure on a set. @throws Error where no peer has it */
export function bestPeer(
  baselines: readonly Baseline[],
  set: string,
  figure: string,
  higherIsBetter: boolean,
): { peer: string; value: number } {
  let best: { peer: string; value: number } | undefined;
  for (const row of baselines) {
    const value = row[figure];
    if (row.set !== set || row.model === PLAN || typeof value !== 'number') continue;
    if (!best || (higherIsBetter ? value > best.value : value < best.value)) best = { peer: row.model, value };
  }
  if (!best) throw new Error(`baselines.json has no ${figure} of ${set}`);
  return best;
}
