import type { RunStep } from './local-stack.js';
import { keepSeconds, sayTime, usualSeconds } from './step-times.mjs';

const TICK_MS = 1000;
const seconds = (startMs: number) => (Date.now() - startMs) / 1000;

/**
 * Writes one line a step: what it is while it runs, with the time that it has to go where former runs or the step itself
 * tell, and how long it took when it is done.
 */
export const showStep: RunStep = async (title, work) => {
  const startMs = Date.now();
  const usual = usualSeconds(title);
  const isTerminal = process.stdout.isTTY;
  const write = (line: string) => process.stdout.write(isTerminal ? `\r\x1b[2K${line}` : `${line}\n`);
  // A step that tells by itself how far it is knows better.
  let hasSaid = false;
  const tick = () => {
    if (!hasSaid) write(`  … ${title} (${sayTime(seconds(startMs), { usual })})`);
  };
  if (isTerminal) write(`  … ${title}`);
  const ticking = isTerminal ? setInterval(tick, TICK_MS) : undefined;
  try {
    const result = await work((line) => {
      hasSaid = true;
      write(`  … ${line}`);
    });
    keepSeconds(title, seconds(startMs));
    write(`  ✓ ${title} (${seconds(startMs).toFixed(1)} s)`);
    return result;
  } catch (error) {
    write(`  ✗ ${title} (${seconds(startMs).toFixed(1)} s)`);
    throw error;
  } finally {
    clearInterval(ticking);
    if (isTerminal) process.stdout.write('\n');
  }
};

/** For `--quiet`, and for tests. */
export const runSilently: RunStep = (_title, work) => work(() => undefined);

/** A step with a bar, for jobs that tell how far they are. */
export function progressBar(share: number): string {
  const filled = Math.round(share * 20);
  return `${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${Math.round(share * 100)} %`;
}
