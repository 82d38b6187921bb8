import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';
import { releaseVersion } from '../release-version.js';

/** Where a run was trained, and with what. */
export interface RunEnvironment {
  node: string;
  platform: string;
  cpu: string;
  cores: number;
  memory_bytes: number;
  /** Names of NVIDIA GPUs that the machine has; used only with `GPU_ENABLED`. */
  gpus: string[];
  release: string;
  /** Where the service runs from a clone. */
  git_commit: string | null;
  /** The packages that the service names itself. */
  packages: Record<string, string>;
}

let known: RunEnvironment | undefined;

/** The machine, the runtime and the code of this process. Nothing of it changes while it runs. */
export function describeEnvironment(): RunEnvironment {
  known ??= {
    node: process.versions.node,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_bytes: totalmem(),
    gpus: listGpus(),
    release: releaseVersion(),
    git_commit: readCommit(join(projectRoot(), '.git')),
    packages: readPackages(),
  };
  return known;
}

/** As the driver tells them; none where there is no such driver. */
function listGpus(): string[] {
  const folder = '/proc/driver/nvidia/gpus';
  try {
    return readdirSync(folder).map((gpu) => {
      const text = readFileSync(join(folder, gpu, 'information'), 'utf8');
      return /^Model:\s*(.+)$/m.exec(text)?.[1]?.trim() ?? gpu;
    });
  } catch {
    return [];
  }
}

function readCommit(gitFolder: string): string | null {
  try {
    const head = readFileSync(join(gitFolder, 'HEAD'), 'utf8').trim();
    const branch = /^ref: (.+)$/.exec(head)?.[1];
    if (!branch) return head;
    return readFileSync(join(gitFolder, branch), 'utf8').trim();
  } catch {
    // An archive of the sources, a branch that is packed, or a work tree beside the clone.
    return null;
  }
}

function readPackages(): Record<string, string> {
  const text = readFileSync(join(projectRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { dependencies: Record<string, string> }).dependencies;
}
