import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * A Python with packages of its own, made once and kept.
 * @param name of the folder it is kept in, with the release
 * @returns its folder of programs, or the reason where there is no Python or no way to its packages
 */
export function findPython(name: string, packages: readonly string[]): { bin: string } | { reason: string } {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'ml-pipeline-service', name);
  const bin = join(folder, 'bin');
  const stamp = join(folder, '.complete');
  if (existsSync(stamp)) return { bin };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const install = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check', ...packages];
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', folder]],
    [join(bin, 'python'), install],
  ];
  for (const [command, args] of steps) {
    const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 600_000 });
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    return { reason: `${command} ${args[1]}: ${error?.message ?? stderr.trim().split('\n').at(-1) ?? 'failed'}` };
  }
  const written = join(folder, '.writing');
  writeFileSync(written, packages.join('\n'));
  renameSync(written, stamp);
  return { bin };
}
