// `npm test`: installs and builds what is missing, runs every test, and ends with one line of counts.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNode, fail, prepare, root } from './bootstrap.mjs';

checkNode();
try {
  await prepare();
  const { resolveTemporalBinary } = await import(pathToFileURL(join(root, 'dist/infra/local/temporal-binary.js')).href);
  if (!process.env.TEMPORAL_ADDRESS) await resolveTemporalBinary((line) => process.stdout.write(`  … ${line}\n`));
} catch (error) {
  fail(error.message);
}

const folder = mkdtempSync(join(tmpdir(), 'mlops-test-'));
const report = join(folder, 'report.json');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const args = [
  vitest,
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
];
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => {
  const counts = existsSync(report)
    ? JSON.parse(readFileSync(report, 'utf8'))
    : { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numFailedTestSuites: 1 };
  rmSync(folder, { recursive: true, force: true });
  // A file that could not even be loaded has no failed test, but nothing in it has passed.
  const failed =
    counts.numFailedTests > 0 || code === 0 ? counts.numFailedTests : Math.max(1, counts.numFailedTestSuites);
  const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : '';
  process.stdout.write(`\n${counts.numPassedTests} passed, ${failed} failed${skipped}\n`);
  process.exit(code === 0 && failed === 0 ? 0 : 1);
});
