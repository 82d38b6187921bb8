/**
 * Lets one fault after the other happen in each part of a real stack while load of all kinds runs, and holds what is left to the
 * invariants. Prints a JSON line a fault, and ends with 1 when one of them breaks.
 *
 * Run: npm run chaos -- [--only kill,pause] [--part api,postgres] [--seconds 5] [--seed 1] [--list] [--write]
 * --write puts the rows into docs/reference/faults.md, in the place of older ones of the same faults.
 */
import { parseArgs } from 'node:util';
import { createPrng } from '../../ml/random/prng.js';
import { ChaosStack, CHAOS_PARTS } from './chaos-stack.js';
import { FAULT_KINDS, FAULTS } from './faults.js';
import { runFault, type FaultResult } from './run-fault.js';
import { writeFaultRow } from './write-fault-row.js';

function readNames<T extends string>(flag: string, text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const names = text.split(',') as T[];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`--${flag} ${unknown.join(',')}: choose of ${known.join(', ')}.`);
  return names;
}

function readNumber(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new Error(`--${flag} ${text}: must be a number above 0, at most ${most}.`);
  return value;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      part: { type: 'string' },
      seconds: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const kinds = readNames('only', values.only, FAULT_KINDS);
  const parts = readNames('part', values.part, CHAOS_PARTS);
  const seconds = readNumber('seconds', values.seconds, 600);
  const prng = createPrng(readNumber('seed', values.seed, 2 ** 31));
  const chosen = FAULTS.filter(({ kind, part }) => kinds.includes(kind) && parts.includes(part));
  if (values.list) {
    process.stdout.write(`${chosen.map(({ kind, part }) => `${kind} ${part}`).join('\n')}\n`);
    return 0;
  }
  const world = await ChaosStack.start();
  const results: FaultResult[] = [];
  try {
    for (const [at, fault] of chosen.entries()) {
      const result = await runFault(world, fault, { seconds, prng, name: `chaos-${at}` });
      results.push(result);
      if (values.write) writeFaultRow(result);
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  } finally {
    await world.stop();
  }
  const broken = results.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`${results.length} faults, ${broken} broke an invariant.\n`);
  return broken > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
