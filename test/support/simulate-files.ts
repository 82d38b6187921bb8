import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { compiledScript } from '../../services/project-root.js';

/** Simulated files in a folder that the stack may read, of nine months where `flags` say nothing else; returns the path of the events. */
export function simulateFiles(stateDir: string, users: number, ...flags: string[]): { events: string; folder: string } {
  const folder = join(stateDir, 'demo');
  execFileSync(
    process.execPath,
    [
      compiledScript('simulator/main.js'),
      '--users',
      String(users),
      '--output',
      folder,
      '--format',
      'csv,parquet',
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return { folder, events: join(folder, 'user_events.parquet') };
}
