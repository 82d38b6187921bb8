import { randomBytes } from 'node:crypto';
import { KeyRing } from '../services/encryption/key-ring.js';
import { openBytes, sealBytes } from '../services/encryption/sealed-file.js';

const MIB = 2 ** 20;
const keys = new KeyRing([{ id: 'bench', key: randomBytes(32) }]);

/** The median time of a call, in milliseconds. */
function medianMs(work: () => void, times: number): number {
  const taken = Array.from({ length: times }, () => {
    const startMs = performance.now();
    work();
    return performance.now() - startMs;
  }).sort((a, b) => a - b);
  return taken[times >> 1]!;
}

/** What encryption at rest costs: throughput of files, and the time that one write to a spool takes more. */
function main(): void {
  const size = 64 * MIB;
  const plain = randomBytes(size);
  const sealed = sealBytes(keys, plain);
  const speed = (ms: number) => `${Math.round(size / MIB / (ms / 1000))} MiB/s`;
  const rows = randomBytes(2000);
  const lines = [
    `sealing ${size / MIB} MiB: ${speed(medianMs(() => sealBytes(keys, plain), 7))}`,
    `opening ${size / MIB} MiB: ${speed(medianMs(() => openBytes(keys, sealed), 7))}`,
    `one write of 2 kB to a spool: ${(medianMs(() => sealBytes(keys, rows), 2000) * 1000).toFixed(0)} µs more`,
    `larger by: ${sealed.length - size} bytes of ${size}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

main();
