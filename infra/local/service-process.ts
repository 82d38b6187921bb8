import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { compiledScript } from '../../services/project-root.js';
import { readTail } from './read-tail.js';

const READY_WITHIN_MS = 60_000;

/**
 * Starts one of our own compiled scripts. In a process group of its own, so that a terminal's Ctrl-C reaches the supervisor
 * only; with a channel, by which it says that it is ready and learns that its supervisor is gone.
 */
export function forkService(script: string, env: NodeJS.ProcessEnv, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    return fork(compiledScript(script), {
      env,
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: ['--enable-source-maps'],
    });
  } finally {
    closeSync(log);
  }
}

/** Waits for `{ready: true}`. @throws Error with the last lines of its log when it ends before, or takes too long. */
export function waitForService(
  name: string,
  child: ChildProcess,
  hasEnded: () => boolean,
  logFile: string,
): Promise<void> {
  // A log goes on from run to run, and what an earlier one wrote at its end would mislead.
  const fromByte = statSync(logFile).size;
  return new Promise((resolve, reject) => {
    const finish = (end: () => void) => {
      clearTimeout(timer);
      child.removeListener('exit', onExit);
      child.removeListener('message', onMessage);
      end();
    };
    const timer = setTimeout(() => {
      const message = `${name} was not ready within ${READY_WITHIN_MS / 1000} s. Its log: ${logFile}`;
      finish(() => reject(new Error(message)));
    }, READY_WITHIN_MS);
    const onExit = () =>
      finish(() => reject(new Error(`${name} ended at its start:\n${lastLines(logFile, fromByte)}`)));
    const onMessage = (message: unknown) => {
      if ((message as { ready?: boolean }).ready) finish(resolve);
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
    if (hasEnded()) onExit();
  });
}

function lastLines(file: string, fromByte: number): string {
  return readTail(file, fromByte)
    .trimEnd()
    .split('\n')
    .slice(-8)
    .map((line) => `    ${line}`)
    .join('\n');
}
