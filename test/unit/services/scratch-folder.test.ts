import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { identityOf } from '../../../services/process-identity.js';
import { clearScratchFolders, makeScratchFolder } from '../../../services/storage/scratch-folder.js';

it('what a killed process has left among the temporary files goes; what others use stays', async () => {
  const own = await makeScratchFolder();
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const [, host] = own.slice(dirname(own).length + 1).split('~');
  const left = join(dirname(own), `mlops-scratch~${host}~${child.pid}~${identityOf(child.pid!)!.startedAt}~aaaaaa`);
  const elsewhere = join(dirname(own), `mlops-scratch~another-machine-${process.pid}~1~1~aaaaaa`);
  try {
    for (const folder of [left, elsewhere]) mkdirSync(folder);
    await clearScratchFolders();
    expect([own, left, elsewhere].map(existsSync)).toEqual([true, true, true]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await clearScratchFolders();
    expect([own, left, elsewhere].map(existsSync)).toEqual([true, false, true]);
  } finally {
    child.kill('SIGKILL');
    for (const folder of [own, left, elsewhere]) rmSync(folder, { recursive: true, force: true });
  }
});
