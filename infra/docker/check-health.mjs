// The health check of the image: ends with 0 when the program of this container answers. Without curl, which the image has not.
import { readFileSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';

/** The program that the container was started with; the flags of an init process may stand before it. */
function programOf(commandLine) {
  const words = commandLine.split('\0');
  return words[words.findIndex((word) => word.endsWith('start.mjs')) + 1] ?? 'api';
}

const { PORT = '8080', TLS_CERT_FILE, WORKER_METRICS_PORT = '9464' } = process.env;
const program = process.argv[2] ?? programOf(readFileSync('/proc/1/cmdline', 'utf8'));
const url =
  program === 'api'
    ? `${TLS_CERT_FILE ? 'https' : 'http'}://127.0.0.1:${PORT}/health/ready`
    : `http://127.0.0.1:${WORKER_METRICS_PORT}/metrics`;

function fail(why) {
  process.stderr.write(`${url}: ${why}\n`);
  process.exit(1);
}

const ask = url.startsWith('https:') ? requestTls : requestPlain;
// It asks itself over loopback: nobody else can answer, whatever name the certificate has.
ask(url, { rejectUnauthorized: false, timeout: 2500 }, ({ statusCode }) => {
  if (statusCode !== 200) fail(`status ${statusCode}`);
  process.exit(0);
})
  .on('timeout', () => fail('no answer within 2.5 s'))
  .on('error', ({ message, code }) => fail(message || code))
  .end();
