/**
 * Measures what it costs a trial process to have the data of a sweep: the first one of a worker, which reads and encodes the table, and each
 * other one, which takes the numbers from the file that the first has left. Fresh processes on one table; takes a minute or two.
 *
 * Run: node dist/bench/trial-data.js [--rows 1000000] [--write]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { quoteText, withDuckDb } from '../services/duckdb.js';
import { openTabularTrials } from '../services/kinds/tabular/open-trials.js';
import { NumbersFolder } from '../services/search/numbers-folder.js';
import { STAGED, type TrainingPlan } from '../services/training/training-plan.js';
import { writeFigures } from './write-figures.js';

const NUMBERS = 18;
const CATEGORIES = 2;
const MEBIBYTE = 2 ** 20;

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    case: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const features = [
  ...Array.from({ length: NUMBERS }, (_, at) => `x${at}`),
  ...Array.from({ length: CATEGORIES }, (_, at) => `k${at}`),
];
const plan = {
  jobId: 'bench',
  model: 'bench',
  kind: 'classification',
  algorithm: 'gradient_boosting',
  hyperparameters: { seed: 1 },
  seed: 1,
  heads: [{ name: 'y', column: 'y', task: 'classification' }],
  features,
  settings: { split: 'random' },
  entity: 'unit',
  datasetId: 'bench',
  validationSplit: 0.2,
} as unknown as TrainingPlan;

async function writeTable(folder: string, rows: number): Promise<void> {
  const share = (of: number) => `(hash(i * 31 + ${of}) % 100000) / 100000.0`;
  const columns = features.map((name, at) =>
    at < NUMBERS ? `${share(at)} AS ${name}` : `'c' || (hash(i * 7 + ${at}) % 12) AS ${name}`,
  );
  const target = `CASE WHEN ${share(0)} + ${share(99)} > 1 THEN 'yes' ELSE 'no' END AS y`;
  const select = `SELECT CAST(i AS VARCHAR) AS _group, ${columns.join(', ')}, ${target} FROM range(${rows}) t(i)`;
  await withDuckDb((connection) =>
    connection.run(`COPY (${select}) TO ${quoteText(join(folder, STAGED.table))} (FORMAT parquet)`),
  );
}

interface Cost {
  cpuSeconds: number;
  readMb: number;
  peakMb: number;
}

/** Bytes that this process has asked the kernel for; 0 where it does not say. */
function readBytes(): number {
  try {
    return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** In a process of its own. */
async function measureOpening(folder: string): Promise<Cost> {
  const before = { cpu: process.cpuUsage(), bytes: readBytes() };
  await openTabularTrials(plan, folder, new NumbersFolder(join(folder, 'shared')));
  const cpu = process.cpuUsage(before.cpu);
  return {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    readMb: (readBytes() - before.bytes) / MEBIBYTE,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

if (values.case !== undefined) process.stdout.write(JSON.stringify(await measureOpening(values.case)));
else {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-bench-trial-data-'));
  try {
    mkdirSync(join(folder, 'shared'));
    await writeTable(folder, Number(values.rows));
    const tableMb = statSync(join(folder, STAGED.table)).size / MEBIBYTE;
    const table: (string | number)[][] = [];
    for (const which of ['the first', 'each other one']) {
      const self = fileURLToPath(import.meta.url);
      const run = execFileSync(process.execPath, ['--max-old-space-size=8192', self, '--case', folder]);
      const cost = JSON.parse(run.toString()) as Cost;
      const [cpu, read, peak] = [cost.cpuSeconds.toFixed(2), cost.readMb.toFixed(0), cost.peakMb.toFixed(0)];
      const line = { name: 'trial-data', process: which, rows: Number(values.rows), table_mb: Math.round(tableMb) };
      process.stdout.write(`${JSON.stringify({ ...line, cpu_seconds: +cpu, read_mb: +read, peak_mb: +peak })}\n`);
      table.push([which, cpu, read, peak]);
    }
    if (values.write)
      writeFigures('docs/reference/benchmarks.md', 'trial-data', [
        ['trial process of a worker', 'CPU seconds', 'read, MiB', 'peak memory, MiB'],
        ...table,
      ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
