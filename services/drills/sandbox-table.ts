import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SANDBOX_MODEL } from '../../core/names.js';
import { createPrng } from '../../ml/random/prng.js';
import { digestOf } from '../canonical-json.js';
import type { Container } from '../container.js';
import { snapshotDataset } from '../datasets/snapshot-dataset.js';
import { writeStaged } from '../storage/staged-file.js';

/** A unit of the sandbox: its truth follows from its features, but for a little noise. */
export interface SandboxUnit {
  features: { load: number; size: number };
  outcome: 'late' | 'on time';
}

const ROWS = 800;
const NOISE = 0.03;
/** Changes with what the table is made of, so that versions of an older table are not taken for this one's. */
const TABLE = 'units-1';

/** @param draw the same number gives the same unit */
export function sandboxUnit(draw: number): SandboxUnit {
  const prng = createPrng(77, draw);
  const features = { load: Math.round(prng.next() * 1000) / 10, size: Math.round(prng.next() * 1000) / 10 };
  const isLate = features.load + features.size > 100 !== prng.next() < NOISE;
  return { features, outcome: isLate ? 'late' : 'on time' };
}

const opposite = (outcome: SandboxUnit['outcome']) => (outcome === 'late' ? 'on time' : 'late');

/**
 * The table that the sandbox learns from, as a dataset: with its labels as they are, or all of them the wrong way round. Made once.
 * @returns its id
 */
export async function prepareSandboxTable(
  isFlipped: boolean,
  { database, folders, attempt }: Pick<Container, 'database' | 'folders'> & { attempt: string },
): Promise<string> {
  const name = `${TABLE}${isFlipped ? '-flipped' : ''}`;
  const id = `ds_${digestOf(['sandbox', name]).slice(0, 20)}`;
  const lines = Array.from({ length: ROWS }, (_, draw) => {
    const { features, outcome } = sandboxUnit(draw);
    return `unit_${draw},${features.load},${features.size},${isFlipped ? opposite(outcome) : outcome}`;
  });
  const file = join(folders.datasets, '.staging', `${id}-${attempt}.csv`);
  await mkdir(join(folders.datasets, '.staging'), { recursive: true });
  try {
    await writeStaged(file, ['unit,load,size,outcome', ...lines, ''].join('\n'));
    const manifest = await snapshotDataset(
      {
        datasetId: id,
        dataType: SANDBOX_MODEL,
        sourceLabel: `made by the service for drills (${name})`,
        raw: [{ path: file, format: 'csv', compression: 'none', label: name }],
        validation: 'fail',
        folder: folders.datasets,
        attempt,
        mostBytes: 2 ** 30,
      },
      () => undefined,
    );
    const { rows, quarantined_rows: quarantinedRows, digest } = manifest;
    const jobId = `sandbox-${name}`;
    const data = { id, dataType: SANDBOX_MODEL, jobId, rows, quarantinedRows, digest, manifest: manifest as object };
    await database.prisma.dataset.createMany({ data: [data], skipDuplicates: true });
  } finally {
    await rm(file, { force: true });
  }
  return id;
}
