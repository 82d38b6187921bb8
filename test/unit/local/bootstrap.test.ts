import { execFile, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { identityOf } from '../../../services/process-identity.js';

/**
 * A checkout with stand-ins: an `npm` that installs stand-ins for the compilers and vitest, and notes each run in `log`.
 * `npm ci` empties node_modules first, as the real one does.
 */
const NPM = `#!/usr/bin/env node
const { appendFileSync, mkdirSync, rmSync, writeFileSync } = require('node:fs');
const { dirname } = require('node:path');
if (process.argv[2] === 'ping') {
  if (process.env.PING_FAILS) { console.error('npm error code ' + process.env.PING_FAILS); process.exit(1); }
  process.exit(0);
}
const note = (line) => appendFileSync('log', line + '\\n');
const write = (path, text) => { mkdirSync(dirname(path), { recursive: true }); writeFileSync(path, text); };
note('npm ' + process.argv.slice(2).join(' '));
writeFileSync('npm-pid', String(process.pid));
if (process.env.NPM_FAILS) { console.error('npm error code ' + process.env.NPM_FAILS); process.exit(1); }
rmSync('node_modules', { recursive: true, force: true });
setTimeout(() => {
  const compiler = "require('node:fs').appendFileSync('log', 'build\\\\n'); require('node:fs').mkdirSync('dist/infra/local', { recursive: true });";
  write('node_modules/prisma/build/index.js', "require('node:fs').mkdirSync('services/database/generated', { recursive: true })");
  write('node_modules/typescript/bin/tsc', compiler + process.env.STAND_INS);
  write('node_modules/vitest/vitest.mjs', process.env.VITEST);
  write('node_modules/vite/package.json', '{"type": "module", "exports": "./index.js"}');
  write('node_modules/vite/index.js', process.env.VITE);
  note('npm done');
}, Number(process.env.NPM_MS ?? 0));
`;
const STAND_INS = `
  const { writeFileSync } = require('node:fs');
  writeFileSync('dist/package.json', '{"type": "module"}');
  writeFileSync('dist/infra/local/stack.js', "console.log('stack ' + process.argv.slice(2).join(' '))");
  writeFileSync('dist/infra/local/temporal-binary.js', 'export const resolveTemporalBinary = async () => undefined');`;
const VITEST = `
  import { writeFileSync } from 'node:fs';
  const file = process.argv.find((arg) => arg.startsWith('--outputFile.json=')).split('=')[1];
  const isAgain = process.argv.includes('--maxWorkers=1');
  if (isAgain) console.log('again: ' + process.argv.filter((arg) => arg.startsWith('test/')).join(' '));
  const report = isAgain ? process.env.REPORT_AGAIN : process.env.REPORT;
  if (report) writeFileSync(file, report);
  process.exit(Number(isAgain ? process.env.CODE_AGAIN : process.env.VITEST_CODE));`;

const VITE = `
  import { mkdirSync, writeFileSync } from 'node:fs';
  export async function build() {
    mkdirSync('dist/console/assets', { recursive: true });
    writeFileSync('dist/console/index.html', '');
    writeFileSync('dist/console/assets/a.js', '');
    return { output: [{ fileName: 'assets/a.js' }] };
  }`;

let checkout: string;

function makeCheckout(): void {
  checkout = mkdtempSync(join(tmpdir(), 'mlops-checkout-'));
  mkdirSync(join(checkout, 'infra/local'), { recursive: true });
  for (const name of [
    'bootstrap.mjs',
    'explain-failure.mjs',
    'step-times.mjs',
    'build.mjs',
    'build-console.mjs',
    'run.mjs',
    'start.mjs',
    'test.mjs',
    'stack-help.txt',
  ])
    cpSync(join('infra/local', name), join(checkout, 'infra/local', name));
  for (const [path, text] of Object.entries({
    'package.json': '{"type": "module"}',
    'package-lock.json': '{}',
    'ml/a.ts': 'export const a = 1;',
    'infra/local/stack.ts': '',
    'infra/local/temporal-binary.ts': '',
    'services/database/b.ts': 'export const b = 1;',
    'workflows/bundle.mjs': "import { writeFileSync } from 'node:fs'; writeFileSync('dist/workflow-bundle.js', '');",
    'bin/package.json': '{"type": "commonjs"}',
    'bin/npm': NPM,
  }))
    write(path, text);
  chmodSync(join(checkout, 'bin/npm'), 0o755);
}
const removeCheckout = () => rmSync(checkout, { recursive: true, force: true });

function write(path: string, text: string): void {
  mkdirSync(join(checkout, path, '..'), { recursive: true });
  writeFileSync(join(checkout, path), text);
}

const environment = (more: NodeJS.ProcessEnv) => ({
  ...process.env,
  PATH: `${join(checkout, 'bin')}${delimiter}${process.env['PATH']}`,
  MLOPS_CACHE_DIR: join(checkout, 'cache'),
  STAND_INS,
  VITEST,
  VITE,
  ...more,
});

function node(script: string, args: string[] = [], more: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; output: string; stdout: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(checkout, 'infra/local', script), ...args],
      { cwd: checkout, env: environment(more) },
      (error, stdout, stderr) =>
        resolve({ code: error ? Number((error as { code?: unknown }).code) : 0, output: stdout + stderr, stdout }),
    );
  });
}

/** What npm and the build have done since the last look. */
function done(): string[] {
  const path = join(checkout, 'log');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  rmSync(path, { force: true });
  return lines.map((line) => line.replace(/^npm ci .*/, 'install'));
}

const EVERYTHING = ['install', 'npm done', 'build'];

describe('npm start and npm test in a checkout', () => {
  beforeEach(makeCheckout);
  afterEach(removeCheckout);

  it('install and build on the first run and do neither on the second', async () => {
    expect(await node('start.mjs', ['--port', '0'])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/✓ Installing dependencies[^]*✓ Building[^]*stack --port 0/),
    });
    expect(done()).toEqual(EVERYTHING);
    expect(await node('start.mjs')).toMatchObject({ code: 0, output: 'stack \n' });
    expect(done()).toEqual([]);
  });

  it('tell of it aside before a command, whose output may go to a program', async () => {
    const { stdout, output } = await node('run.mjs', ['infra/local/stack.js', '--to', '-']);
    expect(output).toContain('✓ Building');
    expect(stdout).toBe('stack --to -\n');
  });

  it('install the development dependencies, which the build needs, also where NODE_ENV is production', async () => {
    await node('start.mjs', [], { NODE_ENV: 'production' });
    expect(readFileSync(join(checkout, 'log'), 'utf8')).toContain('--include=dev');
  });

  it('do again only what has become old or is gone', async () => {
    await node('start.mjs');
    done();
    const changes: [string, () => void, string[]][] = [
      ['a source has changed', () => write('ml/a.ts', 'export const a = 2;'), ['build']],
      ['a source is new', () => write('services/new/c.ts', ''), ['build']],
      ['nothing', () => undefined, []],
      ['the console is gone', () => rmSync(join(checkout, 'dist/console/index.html')), ['build']],
      ['the workflows are gone', () => rmSync(join(checkout, 'dist/workflow-bundle.js')), ['build']],
      [
        'the client is gone',
        () => rmSync(join(checkout, 'services/database/generated'), { recursive: true }),
        ['build'],
      ],
      ['the lock file has changed', () => write('package-lock.json', '{"changed": true}'), EVERYTHING],
    ];
    for (const [what, change, needed] of changes) {
      change();
      await node('start.mjs');
      expect(done(), what).toEqual(needed);
    }
  });

  it('say what to do when npm cannot reach its registry, show its output, and try again next time', async () => {
    const { code, output } = await node('start.mjs', [], { NPM_FAILS: 'ENOTFOUND' });
    expect(code).toBe(1);
    expect(output).toContain('npm error code ENOTFOUND');
    expect(output).toContain('npm config set registry');
    expect(output).not.toContain('    at ');
    done();
    expect(await node('start.mjs')).toMatchObject({ code: 0 });
    expect(done()).toEqual(EVERYTHING);
  });

  it('take what npm has fetched before where its registry does not answer, and do not wait for it', async () => {
    const { output } = await node('start.mjs', [], { PING_FAILS: 'ECONNREFUSED', NPM_FAILS: 'ENOTCACHED' });
    expect(output).toContain('The npm registry does not answer');
    expect(output).toContain('npm config set registry');
    expect(readFileSync(join(checkout, 'log'), 'utf8')).toMatch(/^npm ci --offline /);
    done();
    // A registry that has no such path answers all the same.
    expect(await node('start.mjs', [], { PING_FAILS: 'E404' })).toMatchObject({ code: 0 });
    expect(readFileSync(join(checkout, 'log'), 'utf8')).toMatch(/^npm ci --prefer-offline /);
  });

  it('find out by the real npm that nothing answers where its registry should be', async () => {
    rmSync(join(checkout, 'bin/npm'));
    write(
      'ask.mjs',
      "import('./infra/local/bootstrap.mjs').then((it) => console.log(it.installArguments().join(' ')))",
    );
    const { output } = await node('../../ask.mjs', [], { npm_config_registry: 'http://127.0.0.1:9' });
    expect(output).toContain('ci --offline');
  });

  it('say how long a step takes from the second time on, and how far an installation is', async () => {
    write('cache/step-times.json', JSON.stringify({ Building: [30, 90, 60], 'Installing dependencies': 'damaged' }));
    const { output } = await node('start.mjs');
    expect(output).toContain('  … Building (about 1 min 0 s)\n');
    expect(output).toContain('  … Installing dependencies\n');
    expect(JSON.parse(readFileSync(join(checkout, 'cache/step-times.json'), 'utf8'))).toEqual({
      Building: [30, 90, 60, expect.any(Number)],
      'Installing dependencies': [expect.any(Number)],
    });
    const packages = { '': {}, 'node_modules/vite': {}, 'node_modules/prisma': {} };
    write('package-lock.json', JSON.stringify({ packages }));
    write('ask.mjs', "import('./infra/local/bootstrap.mjs').then((it) => console.log(it.installedShare('.')))");
    expect(await node('../../ask.mjs')).toMatchObject({ output: '0.5\n' });
  });

  it.each([
    ['ENOSPC', 'The disk is full'],
    ['EACCES', 'A file could not be written'],
  ])('say what to do when npm ends with %s', async (code, said) => {
    const { output } = await node('start.mjs', [], { NPM_FAILS: code });
    expect(output).toContain(said);
    expect(output).not.toContain('npm config set registry');
  });

  it('refuse to begin on a disk that cannot hold the dependencies', async () => {
    const check = (free: number) =>
      write(
        'room.mjs',
        `import('./infra/local/explain-failure.mjs').then((it) => it.checkRoomToInstall('/some', ${free}))`,
      );
    check(299.5);
    expect((await node('../../room.mjs')).output).toMatch(/Only 299 MiB .* take about 1700 MiB below \/some/);
    check(1700);
    expect(await node('../../room.mjs')).toMatchObject({ code: 0 });
  });

  it('build anew after a build that was killed, also where the sources are those of the build before it', async () => {
    await node('start.mjs');
    const builder = readFileSync(join(checkout, 'infra/local/build.mjs'), 'utf8');
    write('ml/a.ts', 'export const a = 2;');
    write('infra/local/build.mjs', "process.kill(process.pid, 'SIGKILL')");
    expect(await node('start.mjs')).toMatchObject({ code: 1 });
    write('ml/a.ts', 'export const a = 1;');
    write('infra/local/build.mjs', builder);
    done();
    await node('start.mjs');
    expect(done()).toContain('build');
  });

  it('wait for each other when they come at once: one installs, though installing empties node_modules', async () => {
    const both = await Promise.all([1, 2, 3].map(() => node('start.mjs', [], { NPM_MS: '1200' })));
    expect(both.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(done()).toEqual(EVERYTHING);
    expect(both.filter(({ output }) => output.includes('waiting for another start'))).toHaveLength(2);
  });

  it('leave no install running when they are stopped, and start over the next time', async () => {
    const stopped = spawn(process.execPath, [join(checkout, 'infra/local/start.mjs')], {
      cwd: checkout,
      env: environment({ NPM_MS: '30000' }),
      stdio: 'ignore',
    });
    const pidFile = join(checkout, 'npm-pid');
    await vi.waitFor(() => expect(existsSync(pidFile) && readFileSync(pidFile, 'utf8')).toMatch(/\d/), 10_000);
    const ended = new Promise((resolve) => stopped.once('exit', resolve));
    stopped.kill('SIGTERM');
    expect(await ended).toBe(1);
    expect(identityOf(Number(readFileSync(pidFile, 'utf8')))).toBeUndefined();
    done();
    expect(await node('start.mjs')).toMatchObject({ code: 0 });
    expect(done()).toEqual(EVERYTHING);
  });

  it('print the flags before anything is installed', async () => {
    expect(await node('start.mjs', ['--help'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('--no-demo'),
    });
    expect(done()).toEqual([]);
  });

  it('refuse an older Node with the version that is needed', async () => {
    write('old.mjs', "import { checkNode } from './infra/local/bootstrap.mjs'; checkNode('20.18.3');");
    expect(await node('../../old.mjs')).toMatchObject({
      code: 1,
      output: expect.stringContaining('needs Node 20.19 or newer, but this is Node 20.18.3'),
    });
  });
});

describe('the last line of npm test', () => {
  const counts = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numFailedTestSuites: 0 };
  beforeAll(async () => {
    makeCheckout();
    await node('start.mjs');
  });
  afterAll(removeCheckout);

  it.each([
    ['all pass', counts, 0, '7 passed, 0 failed', 0],
    ['some fail', { ...counts, numFailedTests: 2, numFailedTestSuites: 1 }, 1, '7 passed, 2 failed', 1],
    ['some are skipped', { ...counts, numPendingTests: 3 }, 0, '7 passed, 0 failed, 3 skipped', 0],
    ['a file cannot be loaded', { ...counts, numFailedTestSuites: 1 }, 1, '7 passed, 1 failed', 1],
    ['vitest itself fails', undefined, 1, '0 passed, 1 failed', 1],
  ])('counts when %s', async (_case, report, vitestCode, line, code) => {
    const more = { REPORT: report && JSON.stringify(report), VITEST_CODE: String(vitestCode) };
    const result = await node('test.mjs', [], more);
    expect(result.output.trimEnd().split('\n').at(-1)).toBe(line);
    expect(result.code).toBe(code);
  });

  describe('where a few files failed', () => {
    const fileOf = (name: string, ...statuses: string[]) => ({
      name: join(checkout, 'test', name),
      status: statuses.includes('failed') ? 'failed' : 'passed',
      assertionResults: statuses.map((status) => ({ status })),
    });
    const reportOf = (...testResults: ReturnType<typeof fileOf>[]) => {
      const all = testResults.flatMap(({ assertionResults }) => assertionResults);
      const count = (wanted: string) => all.filter(({ status }) => status === wanted).length;
      const numFailedTestSuites = testResults.filter(({ status }) => status === 'failed').length;
      return JSON.stringify({
        ...counts,
        numPassedTests: count('passed'),
        numFailedTests: count('failed'),
        numFailedTestSuites,
        testResults,
      });
    };
    const run = async (given: string[], again: string | undefined, codeAgain: number, failures = 1) => {
      const bad = Array.from({ length: failures }, (_, at) => fileOf(`bad-${at}.test.ts`, 'passed', 'failed'));
      const first = reportOf(fileOf('good.test.ts', 'passed', 'passed'), ...bad);
      const more = { REPORT: first, VITEST_CODE: '1', REPORT_AGAIN: again, CODE_AGAIN: String(codeAgain) };
      const { output, code } = await node('test.mjs', given, more);
      return { output, code, line: output.trimEnd().split('\n').at(-1) };
    };

    it('they are run once more by themselves, and named where they pass', async () => {
      const found = await run([], reportOf(fileOf('bad-0.test.ts', 'passed', 'passed')), 0);
      expect(found).toMatchObject({ code: 0, line: '4 passed, 0 failed' });
      expect(found.output).toContain('again: test/bad-0.test.ts');
      expect(found.output).toContain('Unsteady, and worth a look: test/bad-0.test.ts failed at first');
    });

    it('what fails again has failed', async () => {
      const found = await run([], reportOf(fileOf('bad-0.test.ts', 'passed', 'failed')), 1);
      expect(found).toMatchObject({ code: 1, line: '3 passed, 1 failed' });
      expect(await run([], undefined, 1)).toMatchObject({ code: 1, line: '3 passed, 1 failed' });
    });

    it('many, or those that were asked for, fail at once', async () => {
      const good = reportOf(fileOf('bad-0.test.ts', 'passed', 'passed'));
      expect(await run([], good, 0, 6)).toMatchObject({ code: 1, line: '8 passed, 6 failed' });
      expect(await run(['test/bad-0.test.ts'], good, 0)).toMatchObject({ code: 1, line: '3 passed, 1 failed' });
    });
  });
});
