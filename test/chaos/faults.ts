import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canLimit, limitFiles, limitMemory } from './bounds.js';
import { CHAOS_PARTS, DISKS, type ChaosPart, type ChaosStack } from './chaos-stack.js';
import { signalAll } from './process-tree.js';
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
  const env = { LD_PRELOAD: FAKETIME!, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1', FAKETIME_DISABLE_SHM: '1' };
  await world.kill(part, 0, env);
  await sleep(AT_WORK_AFTER_MS);
  return {
    how: `libfaketime: started again with a clock ${offset}, and then with the right one`,
    end: () => world.kill(part, seconds),
  };
};

const exhaustMemory: Begin = (world, part) => {
  const pids = world.pids(part);
  const lift = limitMemory(pids);
  return {
    how: 'prlimit --data: 1 MiB more than it has',
    async end() {
      lift();
      const hasEnded = pids.some((pid) => !world.pids(part).includes(pid));
      await world.startRedis();
      return hasEnded ? 'a process of it ended of that' : 'it went on with what it had';
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
