import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { compiledScript, projectRoot } from '../../services/project-root.js';
import { postgresUrl, startEmbeddedPostgres } from './embedded-postgres.js';
import { temporalAddressFile } from './local-stack.js';
import { claimStateFolder } from './state-folder.js';
import { lockState, StateLockedError } from './state-lock.js';

interface Servers {
  env: NodeJS.ProcessEnv;
  close: () => Promise<void>;
}

/** Where a command finds the servers: those that the environment names, or the embedded ones of the state folder. */
async function openServers(stateDir: string): Promise<Servers> {
  if (process.env['DATABASE_URL']) return { env: {}, close: () => Promise.resolve() };
  claimStateFolder(stateDir);
  let unlock;
  try {
    unlock = lockState(stateDir);
  } catch (error) {
    if (!(error instanceof StateLockedError)) throw error;
    return { env: addressesOfRunning(stateDir, error), close: () => Promise.resolve() };
  }
  // Nothing runs on the folder, so its database is started for the time of the command.
  const server = await startEmbeddedPostgres({ stateDir });
  const close = async () => {
    await server.stop();
    unlock();
  };
  return { env: { DATABASE_URL: server.url }, close };
}

/** @throws Error of the lock while the stack is still starting */
function addressesOfRunning(stateDir: string, locked: StateLockedError): NodeJS.ProcessEnv {
  const read = (path: string) => readFileSync(path, 'utf8').trim();
  if (!existsSync(temporalAddressFile(stateDir))) throw locked;
  const home = join(stateDir, 'postgres');
  return {
    DATABASE_URL: postgresUrl({ port: Number(read(join(home, 'port'))), password: read(join(home, 'password')) }),
    TEMPORAL_ADDRESS: read(temporalAddressFile(stateDir)),
  };
}

/** `node infra/local/run.mjs infra/local/on-stack.js <compiled command> [flags]`: runs a command on the stack of this checkout. */
async function main(): Promise<number> {
  const [, , script, ...flags] = process.argv;
  if (!script) throw new Error('Usage: node infra/local/run.mjs infra/local/on-stack.js <compiled command> [flags]');
  const stateDir = process.env['STATE_DIR'] || '.state';
  const servers = await openServers(isAbsolute(stateDir) ? stateDir : resolve(projectRoot(), stateDir));
  try {
    const child = spawn(process.execPath, [compiledScript(script), ...flags], {
      stdio: 'inherit',
      env: { ...process.env, ...servers.env },
    });
    // A terminal's Ctrl-C has reached the command as well; the database is stopped after it.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await servers.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
