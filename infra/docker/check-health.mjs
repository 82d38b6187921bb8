// The health check of the image: ends with 0 when the program of this container answers. Without curl, which the image has not.
import { readFileSync } from 'node:fs';

/** The program that the container was started with; the flags of an init process may stand before it. */
function programOf(commandLine) {
  const words = commandLine.split('\0');
  return words[words.findIndex((word) => word.endsWith('start.mjs')) + 1] ?? 'api';
}

const { PORT = '8080', WORKER_METRICS_PORT = '9464' } = process.env;
const program = process.argv[2] ?? programOf(readFileSync('/proc/1/cmdline', 'utf8'));
const url =
  program === 'api' ? `http://127.0.0.1:${PORT}/health/ready` : `http://127.0.0.1:${WORKER_METRICS_PORT}/metrics`;
try {
  const { status } = await fetch(url, { signal: AbortSignal.timeout(2500) });
  if (status !== 200) throw new Error(`status ${status}`);
} catch (error) {
  process.stderr.write(`${url}: ${error.cause?.message ?? error.message}\n`);
  process.exitCode = 1;
}
