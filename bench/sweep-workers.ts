/**
 * Measures how much faster a sweep is on several training workers, one trial at a time on each, and that the table of trials is the same.
 * Twice: workers that share the cores of this machine, which cannot be faster than its cores; and workers of a fraction of a core each, by a
 * control group, as if each stood on a small machine of its own: what is seen then is what the service costs a fleet. Takes three minutes.
 *
 * Run: node dist/bench/sweep-workers.js [--workers 1,2,4,8] [--trials 32] [--rows 1500] [--cores 0.2] [--write]
 * The second part needs a user who may make control groups; where none can be made it is left out, aloud.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDatabase } from '../services/database/database.js';
import { compiledScript } from '../services/project-root.js';
import { runSweep, startSweepStack, type SweepStack } from './sweep-stack.js';
import { writeFigures } from './write-figures.js';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2,4,8' },
    trials: { type: 'string', default: '32' },
    rows: { type: 'string', default: '1500' },
    cores: { type: 'string', default: '0.2' },
    write: { type: 'boolean', default: false },
  },
});
const counts = values.workers.split(',').map(Number);
const workerCores = Number(values.cores);
const PERIOD_US = 20_000;
const CGROUPS = '/sys/fs/cgroup';

/** A control group of so many cores; undefined where this user cannot make one. */
function makeGroup(name: string, cores: number): string | undefined {
  const quota = Math.round(cores * PERIOD_US);
  const isFirst = existsSync(join(CGROUPS, 'cpu'));
  const group = join(CGROUPS, isFirst ? 'cpu' : '', name);
  try {
    mkdirSync(group);
    if (isFirst) {
      writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quota));
    } else writeFileSync(join(group, 'cpu.max'), `${quota} ${PERIOD_US}`);
    return group;
  } catch (error) {
    process.stderr.write(`SKIPPED workers of ${cores} cores each: no control group can be made (${String(error)}).\n`);
    return undefined;
  }
}

/** Another training worker beside that of the stack. */
async function addWorker({ stack, env }: SweepStack): Promise<ChildProcess> {
  const worker = fork(compiledScript('workers/training-worker.js'), {
    env: {
      ...process.env,
      ...env,
      STATE_DIR: stack.stateDir,
      DATABASE_URL: stack.addresses.databaseUrl,
      TEMPORAL_ADDRESS: stack.addresses.temporal,
      LOG_LEVEL: 'WARN',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('exit', reject));
  return worker;
}

const rounded = (value: number) => Math.round(value * 100) / 100;

const service = await startSweepStack(Number(values.rows), { MAX_CONCURRENT_JOBS: '1' });
const database = openDatabase(service.stack.addresses.databaseUrl, () => undefined);
const added: ChildProcess[] = [];
const groups: string[] = [];
const measured: { mode: string; workers: number; wallSeconds: number }[] = [];
const tables = new Set<string>();

async function measure(mode: string): Promise<void> {
  // What an earlier sweep has measured would be taken over.
  await database.prisma.sweepTrial.updateMany({ data: { cacheKey: '' } });
  const { wallSeconds, trials, table } = await runSweep(service.stack.api, {
    trials: Number(values.trials),
    parallelism: Math.max(...counts),
    seed: 3,
    sampler: 'random',
    pruner: 'none',
    space: {
      algorithm: { type: 'categorical', choices: ['gradient_boosting'] },
      learning_rate: { type: 'float', low: 0.05, high: 0.2, log: true },
      max_leaf_nodes: { type: 'int', low: 4, high: 32, log: true },
    },
  });
  tables.add(table);
  const workers = added.length + 1;
  const line = { name: 'sweep-workers', mode, workers, trials, wall_seconds: rounded(wallSeconds) };
  process.stdout.write(`${JSON.stringify({ ...line, cores: availableParallelism(), tables: tables.size })}\n`);
  measured.push({ mode, workers, wallSeconds });
}

try {
  const own = service.stack.pid('training-worker')!;
  for (const count of counts) {
    while (added.length < count - 1) added.push(await addWorker(service));
    await measure(`${availableParallelism()} cores for all`);
  }
  const pids = [own, ...added.map(({ pid }) => pid!)];
  for (const pid of pids) {
    const group = makeGroup(`mlops-bench-${pid}`, workerCores);
    if (group === undefined) break;
    groups.push(group);
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  }
  for (const count of groups.length === pids.length ? counts.toReversed() : []) {
    while (added.length > count - 1) await stopWorker(added.pop()!);
    await measure(`${workerCores} of a core each`);
  }
  const table = measured
    .toSorted((a, b) => a.mode.localeCompare(b.mode) || a.workers - b.workers)
    .map(({ mode, workers, wallSeconds }) => {
      const alone = measured.find((one) => one.mode === mode && one.workers === counts[0])!;
      return [mode, workers, rounded(wallSeconds), rounded(alone.wallSeconds / wallSeconds)];
    });
  for (const [mode, workers, , gain] of table)
    process.stdout.write(`${JSON.stringify({ name: 'sweep-workers.gain', mode, workers, gain })}\n`);
  if (tables.size !== 1) throw new Error(`The sweeps came to ${tables.size} different tables of trials.`);
  if (values.write)
    writeFigures('docs/reference/benchmarks.md', 'sweep-workers', [
      ['a worker has', 'workers', 'seconds', 'times as fast'],
      ...table,
    ]);
} finally {
  for (const worker of added) await stopWorker(worker);
  await database.close();
  await service.stop();
  for (const group of groups) rmdirSync(group);
}

async function stopWorker(worker: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  worker.kill('SIGTERM');
  await gone;
}
