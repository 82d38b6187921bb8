import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compiledScript } from '../../../services/project-root.js';

/** Sends a signal to a program once it says `ready`. @returns what it said, and how it ended */
async function runAndSignal(program: string, signal: NodeJS.Signals) {
  const code = `import { endOnSignal } from ${JSON.stringify(compiledScript('infra/local/end-on-signal.js'))};
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const alive = setInterval(() => undefined, 1000);
    ${program}
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString();
    if (said.includes('ready') && !child.killed) child.kill(signal);
  });
  const [status, by] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { said: said.trim().split('\n').slice(1), status, by };
}

describe('a program that is told to end', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'by %s ends what it has started before, the owner first, also where one of them fails',
    async (signal, status) => {
      const program = `endOnSignal(async () => { await pause(50); console.log('owner'); });
      endOnSignal(() => { throw new Error('gone already'); });
      endOnSignal(async () => console.log('owned'));`;
      expect(await runAndSignal(program, signal)).toEqual({ said: ['owner', 'owned'], status, by: null });
    },
  );

  it('does so where `npm run` was told, whose shell ends and tells nobody', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-npm-run-'));
    const file = join(folder, 'ended');
    const code = `import { writeFileSync } from 'node:fs';
      import { endOnSignal } from ${JSON.stringify(compiledScript('infra/local/end-on-signal.js'))};
      setInterval(() => undefined, 1000);
      endOnSignal(() => writeFileSync(${JSON.stringify(file)}, ''));
      console.log('ready');`;
    writeFileSync(join(folder, 'bench.mjs'), code);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { bench: 'node bench.mjs; true' } }));
    const npm = spawn('npm', ['run', '--silent', 'bench'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(npm.stdout, 'data');
    npm.kill('SIGTERM');
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it('is not ended earlier by the failure of its own work', async () => {
    const program = `endOnSignal(async () => { setTimeout(() => { throw new Error('server is gone'); }); Promise.reject(new Error('and this')); await pause(100); console.log('ended'); });`;
    expect(await runAndSignal(program, 'SIGTERM')).toEqual({ said: ['ended'], status: 143, by: null });
  });

  it('ends at once when it has nothing any more', async () => {
    expect(await runAndSignal(`endOnSignal(() => console.log('never'))();`, 'SIGTERM')).toEqual({
      said: [],
      status: null,
      by: 'SIGTERM',
    });
  });
});
