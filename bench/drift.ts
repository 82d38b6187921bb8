/**
 * Drift of whole tables in Parquet, from the file to the tests and distances of every column, as JSON lines:
 * - `peers`: 100,000 rows on each side, 15 columns of numbers and 5 of categories, ours beside Evidently and SciPy, one after another.
 * - `wide`: 1,000,000 rows on each side, 50 columns.
 * In both, `n0` is shifted by 0.2 deviations and `c0` has other shares; `drifted` counts columns with a chance below 0.05 after Benjamini and Hochberg
 * and an effect of 0.05 or more.
 *
 * Run: npm run bench:drift -- [--only peers|wide] [--rows 1000000] [--repeats 3] [--keep FOLDER]. The tables are made once in the folder that is kept. PEERS_DIR has drift_evidently.py (default ../shared/peers), PEERS_PYTHON
 * is a Python with evidently (default ~/.cache/peers-venv/bin/python); without them ours alone is measured.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { judgeDrift } from '../core/decisions/judge-drift.js';
import type { ColumnDrift } from '../ml/drift/column-drift.js';
import { compareCategories } from '../ml/drift/compare-categories.js';
import { median } from '../ml/evaluate/median.js';
import { withComparisonThreads, type CompareColumn } from '../services/drift/comparison-threads.js';
import { readCategories, readNumbers } from '../services/drift/read-samples.js';
import { quoteText, withDuckDb } from '../services/duckdb.js';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rows: { type: 'string', default: '1000000' },
    repeats: { type: 'string', default: '3' },
    keep: { type: 'string' },
  },
});
const repeats = Number(flags.repeats);
const folder = flags.keep ?? mkdtempSync(join(tmpdir(), 'bench-drift-'));
mkdirSync(folder, { recursive: true });
const tell = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

interface Shape {
  rows: number;
  numbers: number;
  categories: number;
}

/** Bell-shaped numbers, and categories of eight values. */
async function writeSide(file: string, { rows, numbers, categories }: Shape, seed: number, isShifted: boolean) {
  const uniform = (column: number, draw: number) =>
    `((hash(n * 4096 + ${column * 4 + draw} + ${seed * 1_000_003}) >> 11) + 0.5) / 9007199254740992.0`;
  const cells = [
    ...Array.from({ length: numbers }, (_, at) => {
      const shift = isShifted && at === 0 ? 0.2 : 0;
      return `${shift} + sqrt(-2 * ln(${uniform(at, 0)})) * cos(2 * pi() * ${uniform(at, 1)}) AS n${at}`;
    }),
    ...Array.from({ length: categories }, (_, at) => {
      const u = uniform(numbers + at, 0);
      const first = isShifted && at === 0 ? 0.15 : 0.125;
      return `CASE WHEN ${u} < ${first} THEN 'a' ELSE substr('bcdefgh', 1 + CAST(floor(7 * (${u} - ${first}) / ${1 - first}) AS INTEGER), 1) END AS c${at}`;
    }),
  ];
  if (existsSync(file)) return;
  const part = `${file}.part`;
  await withDuckDb((connection) =>
    connection.run(`COPY (SELECT ${cells.join(', ')} FROM range(${rows}) t(n)) TO ${quoteText(part)} (FORMAT parquet)`),
  );
  renameSync(part, file);
}

/** Values of both sides that are read at once: 64 MiB, and as many are compared meanwhile. */
const VALUES_AT_ONCE = 1 << 23;

async function compareFiles(
  [before, after]: readonly [string, string],
  { rows, numbers, categories }: Shape,
  compare: CompareColumn,
): Promise<ColumnDrift[]> {
  return withDuckDb(async (connection) => {
    const [reference, current] = [before, after].map((file) => ({ relation: `read_parquet(${quoteText(file)})` }));
    const compared: Promise<{ drift: ColumnDrift }>[] = [];
    const atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / (2 * rows)));
    const names = Array.from({ length: numbers }, (_, at) => `n${at}`);
    for (let start = 0; start < numbers; start += atOnce) {
      const some = names.slice(start, start + atOnce);
      const one = await readNumbers(connection, reference!, some);
      const other = await readNumbers(connection, current!, some);
      // While these are compared the next are read.
      await Promise.all(compared.slice(0, -atOnce));
      const windows = (at: number) => ({ column: some[at]!, reference: one[at]!, current: other[at]![0]! });
      compared.push(...some.map((_, at) => compare({ windows: windows(at), isKept: false })));
    }
    const texts = Array.from({ length: categories }, (_, at) => `c${at}`);
    const one = await readCategories(connection, reference!, texts);
    const other = await readCategories(connection, current!, texts);
    const found = (await Promise.all(compared)).map(({ drift }) => drift);
    return [...found, ...texts.map((name, at) => compareCategories(name, one[at]![0]!, other[at]![0]!))];
  });
}

async function measure(shape: Shape, compare: CompareColumn) {
  const [before, after] = ['before', 'after'].map((name) =>
    join(folder, `${name}-${shape.rows}-${shape.numbers}-${shape.categories}.parquet`),
  ) as [string, string];
  await writeSide(before, shape, 1, false);
  await writeSide(after, shape, 2, true);
  const runs: { seconds: number; cpu_seconds: number }[] = [];
  let drifted: string[] = [];
  for (let run = 0; run < repeats; run++) {
    const startMs = performance.now();
    const startCpu = process.cpuUsage();
    const found = await compareFiles([before, after], shape, compare);
    const { user, system } = process.cpuUsage(startCpu);
    runs.push({ seconds: (performance.now() - startMs) / 1000, cpu_seconds: (user + system) / 1e6 });
    const { signals } = judgeDrift(found, [], { importance: new Map(), usual: new Map() });
    drifted = [...signals.reported];
  }
  const of = (name: 'seconds' | 'cpu_seconds') => Number(median(runs.map((one) => one[name])).toFixed(3));
  return { seconds: of('seconds'), cpu_seconds: of('cpu_seconds'), drifted };
}

const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
const script = join(resolve(process.env['PEERS_DIR'] ?? '../shared/peers'), 'drift_evidently.py');

function measurePeers(rows: number): void {
  if (!existsSync(python) || !existsSync(script)) {
    tell({ bench: 'peers', skipped: `${existsSync(python) ? script : python} is not there` });
    return;
  }
  const { status, stdout, stderr } = spawnSync(python, [script, '--rows', String(rows), '--repeats', String(repeats)], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) tell({ bench: 'peers', failed: stderr.trim().split('\n').at(-1) });
  else process.stdout.write(stdout);
}

try {
  if (flags.only !== 'wide') {
    const shape = { rows: 100_000, numbers: 15, categories: 5 };
    tell({
      bench: 'peers',
      tool: 'ours',
      ...shape,
      ...(await withComparisonThreads((compare) => measure(shape, compare))),
    });
    measurePeers(shape.rows);
  }
  if (flags.only !== 'peers') {
    const shape = { rows: Number(flags.rows), numbers: 40, categories: 10 };
    tell({
      bench: 'wide',
      tool: 'ours',
      ...shape,
      ...(await withComparisonThreads((compare) => measure(shape, compare))),
      peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
    });
  }
} finally {
  if (!flags.keep) rmSync(folder, { recursive: true, force: true });
}
