import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sample } from './simulated-columns.js';

/** A reference and the windows that follow it, each a sample a column. */
export interface DriftStream {
  name: string;
  reference: Sample[];
  windows: Sample[][];
}

/** A library that is asked, with its defaults. */
export interface DriftPeer {
  name: string;
  python: string;
  script: string;
}

export const DRIFT_PEERS: readonly DriftPeer[] = [
  {
    name: 'Evidently',
    python: process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python'),
    script: 'bench/monitors/evidently_drift.py',
  },
  {
    name: 'NannyML',
    python: process.env['NANNYML_PYTHON'] ?? join(homedir(), '.cache/nannyml-venv/bin/python'),
    script: 'bench/monitors/nannyml_drift.py',
  },
];

/**
 * Which columns of each window a library says have drifted.
 * @returns by the name of the stream; a text, and why, where it cannot be asked
 */
export function askPeer(
  { python, script }: DriftPeer,
  streams: readonly DriftStream[],
): Map<string, string[][]> | string {
  if (!existsSync(python)) return `${python} is not there`;
  const folder = mkdtempSync(join(tmpdir(), 'bench-monitors-'));
  try {
    const file = join(folder, 'streams.ndjson');
    for (const { name, reference, windows } of streams)
      appendFileSync(
        file,
        `${JSON.stringify({ name, reference: tableOf(reference), windows: windows.map(tableOf) })}\n`,
      );
    const { status, stdout, stderr } = spawnSync(python, [script, file], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, NML_DISABLE_USAGE_LOGGING: '1' },
    });
    if (status !== 0) return stderr.trim().split('\n').at(-1) ?? 'it ended without a word';
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    return new Map(
      lines.map((line) => {
        const { name, named } = JSON.parse(line) as { name: string; named: string[][] };
        return [name, named];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Columns are compared one by one, so that it does not matter which values stand in one row. */
function tableOf(samples: readonly Sample[]): Record<string, (number | string | null)[]> {
  return Object.fromEntries(
    samples.map((sample, at) => {
      if ('number' in sample)
        return [`c${at}`, [...sample.number.values, ...Array<null>(sample.number.missing).fill(null)]];
      const { counts, missing } = sample.category;
      const texts = [...counts].flatMap(([value, count]) => Array<string>(count).fill(`v${value}`));
      return [`c${at}`, [...texts, ...Array<null>(missing).fill(null)]];
    }),
  );
}
