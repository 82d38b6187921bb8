import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type End = () => Promise<unknown> | void;

/** The oldest first: it may own the others. */
const ends = new Set<End>();
let isEnding = false;
let watch: NodeJS.Timeout | undefined;
const LOOK_EVERY_MS = 300;

const onSignal = (signal: NodeJS.Signals) => void endAll(signal);

/**
 * Ends servers that a program has started for itself when it is told to end, too: they are processes of their own and would go on.
 * @param end may be called once more by its owner meanwhile
 * @returns forgets it
 */
export function endOnSignal(end: End): () => void {
  if (ends.size === 0) {
    for (const signal of SIGNALS) process.on(signal, onSignal);
    watch = watchShell();
  }
  ends.add(end);
  return () => {
    if (!ends.delete(end) || ends.size > 0 || isEnding) return;
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    clearInterval(watch);
  };
}

/** `npm run` passes a signal on to its shell, which ends of it and tells nobody. */
function watchShell(): NodeJS.Timeout | undefined {
  if (process.env['npm_lifecycle_event'] === undefined) return undefined;
  const shell = process.ppid;
  return setInterval(() => process.ppid !== shell && onSignal('SIGTERM'), LOOK_EVERY_MS).unref();
}

async function endAll(signal: NodeJS.Signals): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  // What runs meets servers that are gone, and its failure must not end this process before they are.
  process.setUncaughtExceptionCaptureCallback(() => undefined);
  for (const end of ends)
    try {
      await end();
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  process.exit(128 + constants.signals[signal]);
}
