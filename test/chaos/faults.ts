import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canLimit, liftMemory, limitFiles, limitMemory } from './bounds.js';
import { CHAOS_PARTS, DISKS, type ChaosPart, type ChaosStack } from './chaos-stack.js';
import { largestProcess, signalAll } from './process-tree.js';
import { LATENCY_MS, type Weather } from './unruly-proxy.js';

/** A fault that has begun. */
export interface BegunFault {
  /** How it was made, as the table says it. */
  how: string;
  /** @returns what it has done to the part, where that is not certain beforehand */
  end: () => Promise<string | void> | string | void;
}

export interface Fault {
  kind: FaultKind;
  part: ChaosPart;
  /** @returns the reason why it cannot be made here, if there is one */
  whyNot: (world: ChaosStack) => string | undefined;
  begin: (world: ChaosStack, seconds: number) => Promise<BegunFault> | BegunFault;
}

export const FAULT_KINDS = [
  'kill',
  'pause',
  'disk',
  'reset',
  'black-hole',
  'latency',
  'half-open',
  'clock',
  'memory',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const FAKETIME = ['x86_64', 'aarch64']
  .flatMap((machine) => [`/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`])
  .find((path) => existsSync(path));

/** libfaketime and the jemalloc of Redis wait for each other at the start: the malloc of libc must come before it. */
const LIBC = ['x86_64', 'aarch64']
  .map((machine) => `/lib/${machine}-linux-gnu/libc.so.6`)
  .find((path) => existsSync(path));

/** A part that was started again is at work by then. */
const AT_WORK_AFTER_MS = 8000;

const WEATHER: Partial<Record<FaultKind, string>> = {
  reset: 'a proxy resets every connection and lets none in',
  'black-hole': 'a proxy takes every byte and passes none on',
  latency: `a proxy delays every byte by ${LATENCY_MS} ms each way`,
  'half-open': 'a proxy closes the far end of every connection and leaves the near one open',
};

type Begin = (world: ChaosStack, part: ChaosPart, seconds: number) => ReturnType<Fault['begin']>;

const kill: Begin = async (world, part, seconds) => {
  // Redis has no supervisor; for it the fault is over when it runs again.
  const killing = world.kill(part, seconds * 1000);
  const again = part === 'redis' ? 'started again when the fault is over' : 'its supervisor starts it again';
  return { how: `SIGKILL; ${again}`, end: () => killing };
};

const pause: Begin = (world, part) => {
  const pids = world.pids(part);
  signalAll(pids, 'SIGSTOP');
  return { how: `SIGSTOP for all its processes, then SIGCONT`, end: () => signalAll(pids, 'SIGCONT') };
};

const fillDisk: Begin = (world, part) => {
  const [name] = DISKS[part]!;
  const folder = join(world.stack.stateDir, name);
  if (world.disks.has(folder)) return { how: `a tmpfs of its own at ${name}/, filled`, end: world.disks.fill(folder) };
  return { how: 'prlimit --fsize: no write beyond the first 16 KiB of a file', end: limitFiles(world.pids(part)) };
};

const spoilConnections =
  (weather: Weather): Begin =>
  (world, part) => {
    const links = world.links(part);
    for (const link of links) link.change(weather);
    return { how: WEATHER[weather as FaultKind]!, end: () => links.forEach((link) => link.change('clear')) };
  };

const skewClock: Begin = async (world, part, seconds) => {
  // Ahead or behind: both are tried, half of the parts each.
  const offset = CHAOS_PARTS.indexOf(part) % 2 === 0 ? '+1h' : '-1h';
  const preload = part === 'redis' ? `${FAKETIME} ${LIBC}` : FAKETIME!;
  const env = { LD_PRELOAD: preload, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1', FAKETIME_DISABLE_SHM: '1' };
  await world.kill(part, 0, env);
  await sleep(AT_WORK_AFTER_MS);
  return {
    how: `libfaketime: started again with a clock ${offset}, and then with the right one`,
    end: () => world.kill(part, seconds),
  };
};

/** How often a part has told of an allocation that was refused. */
async function refusedIn(world: ChaosStack, part: ChaosPart): Promise<number> {
  if (part === 'redis') return world.refusedByRedis();
  return readFileSync(world.stack.logFile(part), 'utf8').match(/out of memory|cannot allocate memory/gi)?.length ?? 0;
}

/** What an operator meets: allocations are refused, and where the part does not end of that, the kernel ends its largest process. */
const exhaustMemory: Begin = async (world, part) => {
  const refusedBefore = await refusedIn(world, part);
  const pids = world.pids(part);
  // A Redis of production has a bound of its own below that of its container, and refuses what is written beyond it.
  if (part === 'redis') await world.limitRedis();
  limitMemory(pids);
  // A statement that wants more than there is, beside those of the load, whose needs are small.
  if (part === 'postgres') await world.query('SELECT length(repeat($1, 268435456))', ['x']).catch(() => undefined);
  return {
    how: `prlimit --as: nothing beyond what it has${part === 'redis' ? '; CONFIG SET maxmemory 1, noeviction' : ''}`,
    async end() {
      const now = world.pids(part);
      // Redis counts what it refuses as long as it lives; the others have a log.
      const refused = (await refusedIn(world, part)) - refusedBefore;
      const largest = now[0] === pids[0] ? largestProcess(now) : undefined;
      if (largest !== undefined) signalAll([largest], 'SIGKILL');
      // Also from those that were started meanwhile, which have the limit from their parents.
      liftMemory([...pids, ...world.pids(part)]);
      await world.startRedis();
      return [
        ...(refused > 0 ? [`it tells of ${refused} refusals`] : []),
        largest === undefined ? 'it ended of that' : 'then SIGKILL for its largest process, as the kernel does',
      ].join('; ');
    },
  };
};

const BEGIN: Record<FaultKind, Begin> = {
  kill,
  pause,
  disk: fillDisk,
  reset: spoilConnections('reset'),
  'black-hole': spoilConnections('black-hole'),
  latency: spoilConnections('latency'),
  'half-open': spoilConnections('half-open'),
  clock: skewClock,
  memory: exhaustMemory,
};

function whyNot(kind: FaultKind, part: ChaosPart, world: ChaosStack): string | undefined {
  if (part === 'redis' && !world.hasRedis) return 'redis-server is not installed';
  if (kind === 'disk') {
    const [name] = DISKS[part] ?? [];
    if (name === undefined) return 'it keeps nothing on disk';
    if (!world.disks.has(join(world.stack.stateDir, name)) && !canLimit())
      return 'neither mount nor prlimit may be used here';
  }
  if (kind === 'clock' && part === 'temporal') return 'its server is a Go program, which libfaketime does not reach';
  if (kind === 'clock' && !FAKETIME) return 'libfaketime is not installed';
  if (kind === 'memory' && !canLimit()) return 'prlimit may not be used here';
  return undefined;
}

/** Every fault in every part. */
export const FAULTS: readonly Fault[] = FAULT_KINDS.flatMap((kind) =>
  CHAOS_PARTS.map((part) => ({
    kind,
    part,
    whyNot: (world: ChaosStack) => whyNot(kind, part, world),
    begin: (world: ChaosStack, seconds: number) => BEGIN[kind](world, part, seconds),
  })),
);
