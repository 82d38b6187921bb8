import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { compiledScript } from '../../../services/project-root.js';
import { pause } from '../../support/api-client.js';

let folder: string;
let stateDir: string;
let started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-stop-'));
  stateDir = join(folder, 'state');
});
afterEach(async () => {
  for (const child of started.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await ended;
  }
  started = [];
  deleteStateFolder(stateDir);
  rmSync(folder, { recursive: true, force: true });
});

function start(...flags: string[]) {
  const args = [compiledScript('infra/local/stack.js'), '--port', '0', '--temporal-port', '0', '--ui-port', '0'];
  const child = spawn(process.execPath, [...args, '--state-dir', stateDir, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const sees = (pattern: RegExp) => vi.waitFor(() => expect(text).toMatch(pattern), { timeout: 100_000, interval: 20 });
  return { child, ended, sees, output: () => text };
}

/** Every process of this system that has to do with the state folder, or with the whole test's folder. */
function processesHere(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const about = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
        return about.includes(folder) || isServerOfOutsideData(about);
      } catch {
        return false;
      }
    })
    .map((pid) => `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`);
}

/** Root's PostgreSQL has its folder elsewhere, see postgres/data-folder. */
function isServerOfOutsideData(about: string): boolean {
  const record = join(stateDir, 'postgres', 'data-folder');
  return existsSync(record) && about.includes(readFileSync(record, 'utf8'));
}

/** A process that has just ended may be listed a moment longer. */
const expectNothingLeft = () => vi.waitFor(() => expect(processesHere()).toEqual([]), { timeout: 5000 });

describe.runIf(process.platform === 'linux')('npm start leaves nothing running', () => {
  it.each([
    ['while PostgreSQL is made', /ML Pipeline/, 0],
    ['while Temporal comes up', /✓ Temporal server/, 300],
    ['while the workers and the API come up', /✓ Temporal \(/, 700],
    ['in the middle of the demo', /✓ Workers and API/, 1500],
  ])('when it is stopped %s', async (_case, moment, ms) => {
    const run = start();
    await run.sees(moment);
    await pause(ms);
    run.child.kill('SIGINT');
    expect(await run.ended, run.output()).toBe(0);
    expect(run.output()).toMatch(/Stopped after .* Everything is kept/);
    expect(run.output()).not.toMatch(/did not|fetch failed| {4}at /);
    await expectNothingLeft();
    expect(existsSync(join(stateDir, 'stack.lock'))).toBe(false);
  });

  it('when npm passes the same Ctrl-C on: it drains, and at the second press it ends at once', async () => {
    const run = start('--no-demo');
    await run.sees(/Stop with Ctrl-C/);
    run.child.kill('SIGINT');
    await pause(50);
    run.child.kill('SIGINT');
    await pause(200);
    expect(run.output()).not.toContain('Stopping at once');
    await pause(400);
    run.child.kill('SIGINT');
    expect([0, 130]).toContain(await run.ended);
    await expectNothingLeft();
  });

  it('after a kill -9, when the next start is one with --fresh', async () => {
    const run = start('--no-demo');
    await run.sees(/Stop with Ctrl-C/);
    expect(processesHere()).toHaveLength(6 + postgresChildren());
    writeFileSync(join(stateDir, 'old'), '');
    run.child.kill('SIGKILL');
    await run.ended;
    const fresh = start('--no-demo', '--fresh', '--quiet');
    await fresh.sees(/Stop with Ctrl-C/);
    expect(existsSync(join(stateDir, 'old'))).toBe(false);
    expect(fresh.output()).not.toContain('✓');
    fresh.child.kill('SIGTERM');
    expect(await fresh.ended).toBe(0);
    await expectNothingLeft();
  });

  it('and goes on when nobody reads its output any more', async () => {
    const run = start('--no-demo');
    await run.sees(/✓ PostgreSQL/);
    run.child.stdout!.destroy();
    run.child.stderr!.destroy();
    const apiPid = join(stateDir, 'run', 'api.pid');
    await vi.waitFor(() => expect(existsSync(apiPid)).toBe(true), { timeout: 30_000 });
    await pause(500);
    expect(run.child.exitCode).toBeNull();
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    await expectNothingLeft();
  });
});

/** PostgreSQL's own background processes keep its environment. */
function postgresChildren(): number {
  return processesHere().filter((line) => line.includes('postgres: ')).length;
}

describe('npm start -- --fresh', () => {
  it('deletes no folder that it did not make, and says so', async () => {
    mkdirSync(join(stateDir, 'postgres'), { recursive: true });
    writeFileSync(join(stateDir, 'precious'), 'mine');
    const run = start('--fresh', '--no-demo');
    expect(await run.ended).toBe(1);
    expect(run.output()).toContain('was not made by this service');
    expect(readFileSync(join(stateDir, 'precious'), 'utf8')).toBe('mine');
  });
});
