import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Of the TypeScript kernel; with it the whole folder is made again. */
const TSLAB = '1.0.22';
const STEP_WITHIN_MS = 900_000;

/** What starts Jupyter commands, and the environment in which they find the kernel. */
export interface Jupyter {
  python: string;
  env: NodeJS.ProcessEnv;
}

interface Step {
  title: string;
  command: string;
  args: string[];
  hint: string;
}

const PIP = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check'];
const PIP_HINT =
  'If this machine has no way to PyPI, name a mirror: `pip config set global.index-url <address>`, and run the command again.';
const NPM_HINT = 'If this machine has no way to the npm registry, name a mirror: `npm config set registry <address>`.';

/**
 * Finds Jupyter and the TypeScript kernel. They are installed once, outside of the checkout, into
 * `$XDG_CACHE_HOME/ml-pipeline-service/jupyter`.
 * @param root of the project: kernels run there, so that notebooks import by paths from it
 * @param withLab also the page that notebooks are edited in; running them needs less
 * @param say told what is being installed
 * @returns the reason, and what to do, where something cannot be installed
 */
export function prepareJupyter(
  root: string,
  { withLab, say = () => undefined }: { withLab: boolean; say?: (line: string) => void },
): Jupyter | { reason: string } {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'ml-pipeline-service', 'jupyter', `tslab-${TSLAB}`);
  const python = join(folder, 'python', 'bin', 'python');
  const steps: Step[] = [
    {
      title: 'Python',
      command: 'python3',
      args: ['-m', 'venv', join(folder, 'python')],
      hint: 'Install Python 3.9 or newer with its module venv (Debian: `apt-get install python3-venv`).',
    },
    { title: 'nbconvert', command: python, args: [...PIP, 'nbconvert>=7.16,<8'], hint: PIP_HINT },
    {
      title: 'the TypeScript kernel',
      command: 'npm',
      args: ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error', `tslab@${TSLAB}`],
      hint: NPM_HINT,
    },
    ...(withLab
      ? [{ title: 'JupyterLab', command: python, args: [...PIP, 'jupyterlab>=4.2,<5'], hint: PIP_HINT }]
      : []),
  ];
  mkdirSync(folder, { recursive: true });
  for (const step of steps) {
    const reason = runStep(folder, step, say);
    if (reason !== undefined) return { reason };
  }
  const path = [join(folder, 'python', 'bin'), process.env['PATH']].join(delimiter);
  return { python, env: { ...process.env, PATH: path, JUPYTER_PATH: describeKernel(root, folder) } };
}

/** Each step is done once: a stamp says so. @returns why it could not be done */
function runStep(
  folder: string,
  { title, command, args, hint }: Step,
  say: (line: string) => void,
): string | undefined {
  const stamp = join(folder, `.${title.replaceAll(/\W+/g, '-')}`);
  if (existsSync(stamp)) return undefined;
  say(`installing ${title}, once`);
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: STEP_WITHIN_MS });
  if (status !== 0)
    return `${title} could not be installed (${error?.message ?? stderr.trim().split('\n').at(-1) ?? 'no reason given'}). ${hint}`;
  writeFileSync(stamp, '');
  return undefined;
}

/** A folder of kernels for JUPYTER_PATH, with the one that runs in this checkout. */
function describeKernel(root: string, folder: string): string {
  const data = join(root, 'dist', 'jupyter');
  const kernel = join(data, 'kernels', 'tslab');
  const tslab = join(folder, 'node_modules', 'tslab', 'bin', 'tslab');
  rmSync(kernel, { recursive: true, force: true });
  mkdirSync(kernel, { recursive: true });
  // Jupyter starts a kernel in the folder of its notebook, and tslab reads no file above the folder that it was started in.
  const script = 'cd "$1" && exec "$2" "$3" kernel --config-path "$4"';
  const argv = ['sh', '-c', script, 'sh', root, process.execPath, tslab, '{connection_file}'];
  writeFileSync(
    join(kernel, 'kernel.json'),
    JSON.stringify({ argv, display_name: 'TypeScript', language: 'typescript' }),
  );
  return data;
}
