import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A place where a test can kill the process, once, to prove that a machine that dies exactly here loses nothing.
 * Does nothing unless `NODE_ENV=test` and `FAILPOINT` lists the point.
 */
export type FailPoint = (name: string) => void;

export function createFailPoint(active: string | undefined, stateDir: string): FailPoint {
  const points = new Set(active?.split(','));
  return (name) => {
    if (!points.has(name)) return;
    // The process is started again with the same environment, and must then get past.
    const marker = join(stateDir, `failpoint-${name.replaceAll(':', '-')}`);
    if (existsSync(marker)) return;
    writeFileSync(marker, '');
    process.kill(process.pid, 'SIGKILL');
  };
}
