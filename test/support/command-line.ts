import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../services/project-root.js';

export interface Ran {
  code: number | null;
  out: string;
  err: string;
  /** The answer of a command with --json. */
  json: Record<string, unknown>;
}

/** Runs the command line as a person does: the built one, in a process of its own, which keeps its session in the folder. */
export async function runCommandLine(
  args: readonly string[],
  { folder, input = '', env = {} }: { folder: string; input?: string; env?: NodeJS.ProcessEnv },
): Promise<Ran> {
  const child = spawn(process.execPath, [join(projectRoot(), 'cli/mlops.mjs'), ...args], {
    cwd: folder,
    env: { ...process.env, MLOPS_URL: '', MLOPS_TOKEN: '', XDG_CONFIG_HOME: join(folder, 'config'), ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  const json = args.includes('--json') && out !== '' ? (JSON.parse(out) as Record<string, unknown>) : {};
  return { code, out, err, json };
}
