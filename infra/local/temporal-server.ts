import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../core/names.js';

export interface TemporalServerOptions {
  binary: string;
  stateDir: string;
  port: number;
  uiPort: number;
  namespace: string;
}

/** The dev server is slow by configuration: the first five take a workflow with one activity from 150 ms to about 50. */
const TUNING = [
  'history.transferProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxPollRPS=1000',
  'history.visibilityProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxTimeShift="10ms"',
  'history.workflowIdReuseMinimalInterval="0s"',
  // Tasks by priority, and those of several sweeps in turn. Both hold within a partition, and one is enough for one machine.
  'matching.useNewMatcher=true',
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  // Whether a former build has nothing under way is seen within seconds, and not within minutes: its index is in the same file.
  'matching.wv.VersionDrainageStatusVisibilityGracePeriod="5s"',
  'matching.wv.VersionDrainageStatusRefreshInterval="2s"',
];

/** Starts the server with its Web UI, on loopback only, with its state in a file that survives a kill. */
export function spawnTemporal(options: TemporalServerOptions, logFile: string): ChildProcess {
  const database = join(options.stateDir, 'temporal', 'temporal.db');
  mkdirSync(dirname(database), { recursive: true });
  const args = [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    '--ui-ip=127.0.0.1',
    `--port=${options.port}`,
    `--ui-port=${options.uiPort}`,
    `--namespace=${options.namespace}`,
    `--db-filename=${database}`,
    '--sqlite-pragma=journal_mode=WAL',
    '--sqlite-pragma=synchronous=NORMAL',
    '--log-level=error',
    '--log-format=json',
    ...TUNING.flatMap((value) => ['--dynamic-config-value', value]),
    ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
  ];
  const log = openSync(logFile, 'a');
  try {
    return spawn(options.binary, args, { detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** Waits until the server serves the namespace. */
export async function waitForTemporal(options: TemporalServerOptions, isGivenUp: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  for (;;) {
    try {
      const connection = await Connection.connect({ address: `127.0.0.1:${options.port}`, connectTimeout: '1 second' });
      try {
        await connection.withDeadline(Date.now() + 1000, () =>
          connection.workflowService.describeNamespace({ namespace: options.namespace }),
        );
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (isGivenUp() || Date.now() > deadlineMs)
        throw new Error(
          `Temporal did not come up: ${(error as Error).message}. Its log is logs/temporal.log below the state folder.`,
        );
      await sleep(100);
    }
  }
}
