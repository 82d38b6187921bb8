/**
 * How far off estimates of performance without truths are: real tables are learnt on one half, the other half is answered, and rows are drawn from
 * the answers so that the inputs shift while what they mean stays (covariate shift). Each chunk's estimate is held against what turned out. Beside
 * it, without a promise, tables in the order of time, where what the inputs mean changes too and no such estimate can know it. The estimates are those of the
 * service (`expectedMetrics`), of the service's own models with their calibration; NannyML's CBPE gets the very same probabilities.
 *
 * The promise is that of a mean error of 0.02 at most, for metrics that chance alone does not move by more.
 *
 * Run: npm run bench:estimates -- [--data ../shared/data] [--only telco] [--write], which puts accuracy and ROC area into the benchmarks. NANNYML_PYTHON is a Python with nannyml (default
 * ~/.cache/nannyml-venv/bin/python); without it ours alone is measured. Sets whose file is missing are skipped aloud. Ends with 1 where a promise is broken.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { answerSet, type AnsweredSet } from './estimates/answered-set.js';
import { chunkErrors, type ChunkError } from './estimates/chunk-errors.js';
import { nannymlErrors } from './estimates/nannyml-errors.js';
import { shiftedChunks, timedChunks } from './estimates/shifted-chunks.js';
import { ESTIMATE_SETS } from './estimates/estimate-sets.js';
import { writeFigures } from './write-figures.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/data' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const folder = resolve(flags.data);
const python = process.env['NANNYML_PYTHON'] ?? join(homedir(), '.cache/nannyml-venv/bin/python');
const MOST_ERROR = 0.02;
/** Whose unit is a share; log loss and Brier score have none that a limit could be stated in for all sets. */
const PROMISED = ['accuracy', 'roc_auc'] as const;

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;
const sizesOf = (errors: readonly ChunkError[], metric: string) =>
  errors.filter((one) => one.metric === metric && Number.isFinite(one.error)).map(({ error }) => Math.abs(error));

const NAMES: Record<string, string> = { accuracy: 'accuracy', roc_auc: 'ROC area' };
const written: string[][] = [
  [
    'set, metric',
    'what shifts',
    'moved by',
    'mean error',
    'nine of ten at most',
    "NannyML's mean error",
    'by chance alone',
  ],
];

let broken = 0;
console.log('| set | shift | metric | chunks | moved by | mean error | of 90 % at most | by chance | NannyML | |');
console.log('| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |');

function tell(set: AnsweredSet, shift: 'inputs' | 'time', chunks: readonly Uint32Array[], workFolder: string): void {
  const ours = chunkErrors(set, chunks);
  const theirs = existsSync(python) ? nannymlErrors(python, set, chunks, workFolder) : [];
  for (const metric of [...PROMISED, 'log_loss', 'brier']) {
    const sizes = sizesOf(ours, metric);
    if (sizes.length === 0) continue;
    const of = (part: 'moved' | 'chance') => mean(ours.filter((one) => one.metric === metric).map((one) => one[part]));
    const peer = sizesOf(theirs, metric);
    // What no estimate can be nearer to: with these few rows of the rarest class the truth itself is not known better.
    const isKnown = of('chance') <= MOST_ERROR;
    const isPromised = shift === 'inputs' && isKnown && PROMISED.some((one) => one === metric);
    const isKept = mean(sizes) <= MOST_ERROR;
    if (isPromised && !isKept) broken++;
    const figures = [of('moved'), mean(sizes), quantile(sizes, 0.9), of('chance')].map((one) => one.toFixed(4));
    const theirMean = peer.length > 0 ? mean(peer).toFixed(4) : '';
    console.log(
      `| ${set.name} | ${shift} | ${metric} | ${sizes.length} | ${figures.join(' | ')} | ${theirMean} | ${isPromised ? (isKept ? 'ok' : 'BROKEN') : ''} |`,
    );
    const name = NAMES[metric];
    if (name)
      written.push([
        `${set.name}, ${name}`,
        shift,
        ...figures.slice(0, 3),
        theirMean || (existsSync(python) ? 'it failed' : 'not asked'),
        figures[3]!,
      ]);
  }
}

const workFolder = mkdtempSync(join(tmpdir(), 'bench-estimates-'));
try {
  if (!existsSync(python)) console.log(`SKIPPED NannyML: ${python} is not there`);
  for (const set of ESTIMATE_SETS) {
    if (flags.only && !set.name.includes(flags.only)) continue;
    if (!existsSync(join(folder, set.file))) {
      console.log(`SKIPPED ${set.name}: ${set.file} is not in ${folder}`);
      continue;
    }
    const halves = await answerSet(folder, set, 'halves');
    tell(halves, 'inputs', shiftedChunks(halves), workFolder);
    if (!set.isInTime) continue;
    const later = await answerSet(folder, set, 'later');
    tell(later, 'time', timedChunks(later), workFolder);
  }
  if (flags.write) writeFigures('docs/reference/benchmarks.md', 'bench:estimates', written);
} finally {
  rmSync(workFolder, { recursive: true, force: true });
}
process.exitCode = broken > 0 ? 1 : 0;
