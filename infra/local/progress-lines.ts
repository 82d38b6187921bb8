import type { RunStep } from './local-stack.js';

const seconds = (startMs: number) => `${((Date.now() - startMs) / 1000).toFixed(1)} s`;

/** Writes one line a step: what it is while it runs, and how long it took when it is done. */
export const showStep: RunStep = async (title, work) => {
  const startMs = Date.now();
  const isTerminal = process.stdout.isTTY;
  const write = (line: string) => process.stdout.write(isTerminal ? `\r\x1b[2K${line}` : `${line}\n`);
  if (isTerminal) write(`  … ${title}`);
  try {
    const result = await work((line) => write(`  … ${line}`));
    write(`  ✓ ${title} (${seconds(startMs)})`);
    if (isTerminal) process.stdout.write('\n');
    return result;
  } catch (error) {
    write(`  ✗ ${title} (${seconds(startMs)})`);
    if (isTerminal) process.stdout.write('\n');
    throw error;
  }
};

/** For `--quiet`, and for tests. */
export const runSilently: RunStep = (_title, work) => work(() => undefined);

/** A step with a bar, for jobs that tell how far they are. */
export function progressBar(share: number): string {
  const filled = Math.round(share * 20);
  return `${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${Math.round(share * 100)} %`;
}
