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

/** Of a window: columns that the tool names, and what share of all they are. */
export interface NamedColumns {
  columns: number;
  share: number;
}

/** PEERS_PYTHON is a Python with evidently. */
export const peersPython = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');

/**
 * What Evidently's default report says of each window.
 * @returns by the name of the stream; undefined, and why, where it cannot be asked
 */
export function askEvidently(streams: readonly DriftStream[]): Map<string, NamedColumns[]> | string {
  if (!existsSync(peersPython)) return `${peersPython} is not there`;
  const folder = mkdtempSync(join(tmpdir(), 'bench-monitors-'));
  try {
    const file = join(folder, 'streams.ndjson');
    for (const { name, reference, windows } of streams)
      appendFileSync(
        file,
        `${JSON.stringify({ name, reference: tableOf(reference), windows: windows.map(tableOf) })}\n`,
      );
    const { status, stdout, stderr } = spawnSync(peersPython, ['bench/monitors/evidently_drift.py', file], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (status !== 0) return stderr.trim().split('\n').at(-1) ?? 'it ended without a word';
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    return new Map(
      lines.map((line) => {
        const { name, windows } = JSON.parse(line) as { name: string; windows: NamedColumns[] };
        return [name, windows];
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
