/**
 * What encryption at rest costs: throughput of files, what one write to a spool takes more, and the median time of a prediction with keys beside that without,
 * by two services that are asked in turn.
 *
 * Run: npm run bench:encryption [-- --write] [--seconds 4] [--rounds 5]
 * --write puts the table into docs/guide/encryption.md.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { median } from '../ml/evaluate/median.js';
import { KeyRing } from '../services/encryption/key-ring.js';
import { openBytes, sealBytes } from '../services/encryption/sealed-file.js';
import { PLAIN, requestsOf } from './serve-requests.js';
import { startServedStack } from './served-stack.js';
import { runSocketLoad } from './socket-load.js';
import { writeFigures } from './write-figures.js';

const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
  },
});

/** The median time of a call, in milliseconds. */
function medianMs(work: () => void, times: number): number {
  const taken = Array.from({ length: times }, () => {
    const startMs = performance.now();
    work();
    return performance.now() - startMs;
  });
  return median(taken);
}

function measureFiles(): string[][] {
  const keys = new KeyRing([{ id: 'bench', key: randomBytes(32) }]);
  const plain = randomBytes(64 * MIB);
  const sealed = sealBytes(keys, plain);
  const speed = (ms: number) => `${Math.round(64 / (ms / 1000))} MiB/s`;
  const rows = randomBytes(2000);
  return [
    ['sealing a file of 64 MiB', speed(medianMs(() => sealBytes(keys, plain), 7))],
    ['opening it', speed(medianMs(() => openBytes(keys, sealed), 7))],
    ['larger by', `${((100 * (sealed.length - plain.length)) / plain.length).toFixed(2)} %`],
    ['one write of 2 kB to a spool', `${(medianMs(() => sealBytes(keys, rows), 2000) * 1000).toFixed(0)} µs more`],
  ];
}

/** One caller who waits for each answer asks one service and then the other, round by round, so that what else the machine does meets both. */
async function measurePredictions(seconds: number, rounds: number): Promise<string[][]> {
  const key = `bench:${randomBytes(32).toString('base64')}`;
  const stacks = [await startServedStack(), await startServedStack({ ENCRYPTION_KEYS: key })];
  try {
    const ask = async (url: string, forSeconds: number) =>
      median(
        (await runSocketLoad({ url, requests: requestsOf(url, PLAIN), connections: 1, seconds: forSeconds }))
          .latenciesMs,
      );
    for (const { api } of stacks) await ask(api, seconds);
    const ms: number[][] = [[], []];
    for (let round = 0; round < rounds; round++)
      for (const [at, { api }] of stacks.entries()) ms[at]!.push(await ask(api, seconds));
    const [without, withKeys] = ms.map((of) => median(of)) as [number, number];
    return [
      ['a prediction without keys, median', `${without.toFixed(3)} ms`],
      ['a prediction with keys, median', `${withKeys.toFixed(3)} ms`],
      ['the second to the first', (withKeys / without).toFixed(2)],
    ];
  } finally {
    for (const stack of stacks) await stack.stop();
  }
}

const table = [
  ['what', 'measured'],
  ...measureFiles(),
  ...(await measurePredictions(Number(values.seconds), Number(values.rounds))),
];
process.stdout.write(`${table.map((row) => row.join('  |  ')).join('\n')}\n`);
if (values.write) writeFigures('docs/guide/encryption.md', 'encryption-cost', table);
