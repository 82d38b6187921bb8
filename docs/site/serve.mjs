// `npm run docs`: installs what the site needs, builds it and serves it on this machine. `-- --port 8091` chooses another port, 0 a free one.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  checkNode,
  fail,
  hashOf,
  installArguments,
  installedShare,
  REGISTRY_HINT,
  runStep,
} from '../../infra/local/bootstrap.mjs';

const USAGE = 'npm run docs -- --port 8091   (0 takes a free one; 8090 without)';
const here = dirname(fileURLToPath(import.meta.url));

function readPort() {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string', default: '8090' } } });
    const port = Number(values.port);
    if (values.port.trim() !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
    return fail(`--port is a number between 0 and 65535, not "${values.port}": ${USAGE}`, 2);
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`, 2);
  }
}

/** Only where the lock file has changed since. */
async function installGenerator() {
  const stamp = join(here, 'node_modules/.installed-lock');
  const wanted = hashOf(readFileSync(join(here, 'package-lock.json')));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  await runStep('Installing the generator of the site', 'npm', [...installArguments(), '--prefix', here], {
    hint: `npm could not install it. ${REGISTRY_HINT} The documents are readable as files too: docs/index.md.`,
    share: () => installedShare(here),
  });
  writeFileSync(stamp, wanted);
}

function showBuilding(request, response) {
  response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '5', refresh: '2' });
  response.end('The documents are being built; this page shows them when they are.');
}

/** The port first: who must choose another one is told before the minute that the build takes. */
function listen(server, port) {
  return new Promise((resolve) => {
    server.on('error', (error) => {
      const isTaken = error.code === 'EADDRINUSE';
      fail(
        isTaken
          ? `Port ${port} is taken: npm run docs -- --port ${port + 1}`
          : `The documents cannot be served at port ${port}: ${error.message}`,
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}

checkNode();
const server = createServer(showBuilding);
await listen(server, readPort());
const address = `http://127.0.0.1:${server.address().port}/`;
try {
  await installGenerator();
  await runStep('Building the documents', process.execPath, [join(here, 'build.mjs')], {
    hint: 'The messages above say which page is wrong.',
  });
} catch (error) {
  fail(error.message);
}
// Only here: before the installation there is no such package.
const { default: sirv } = await import('sirv');
server.removeAllListeners('request');
server.on('request', sirv(join(here, 'dist'), { extensions: ['html'], dev: true }));
process.stdout.write(`The documents are at ${address}  (Ctrl-C ends it)\n`);
