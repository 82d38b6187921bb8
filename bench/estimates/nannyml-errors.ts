import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnsweredSet } from './answered-set.js';
import { realisedOf, type ChunkError } from './chunk-errors.js';

/** NannyML's estimate of each chunk from the same probabilities, with the reference rows and their truths to fit itself to. */
export function nannymlErrors(
  python: string,
  set: AnsweredSet,
  chunks: readonly Uint32Array[],
  workFolder: string,
): ChunkError[] {
  const rowsOf = (rows: Iterable<number>) =>
    [...rows].map((row) => ({
      probabilities: [...set.probabilities.subarray(row * set.classes.length, (row + 1) * set.classes.length)],
      truth: set.truths[row]!,
    }));
  const reference = Array.from({ length: set.rows }, (_, row) => row).filter(set.isReference);
  const file = join(workFolder, 'answers.json');
  writeFileSync(
    file,
    JSON.stringify({ classes: set.classes.length, reference: rowsOf(reference), chunks: chunks.map(rowsOf) }),
  );
  const { status, stdout, stderr } = spawnSync(python, ['bench/estimates/nannyml_estimates.py', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, NML_DISABLE_USAGE_LOGGING: '1' },
  });
  if (status !== 0) {
    console.log(`FAILED NannyML on ${set.name}: ${stderr.trim().split('\n').at(-1)}`);
    return [];
  }
  const estimates = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number[]>;
  const realised = chunks.map((chunk) => realisedOf(set, chunk));
  return Object.entries(estimates).flatMap(([metric, values]) =>
    values.map((value, chunk) => ({
      chunk,
      metric,
      error: value - (realised[chunk]![metric]?.value ?? NaN),
      moved: 0,
      chance: 0,
    })),
  );
}
