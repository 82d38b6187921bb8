// `npm run docs`: installs what the site needs, builds it and serves it on this machine. `-- --port 8090` chooses another port, 0 a free one.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { port: { type: 'string', default: '8090' } } });

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: here, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}
run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
run(process.execPath, ['build.mjs']);

// Only here: before `npm ci` there is no such package.
const { default: sirv } = await import('sirv');
const server = createServer(sirv(join(here, 'dist'), { extensions: ['html'], dev: true }));
server.on('error', (error) => {
  const isTaken = error.code === 'EADDRINUSE';
  process.stderr.write(
    isTaken
      ? `Port ${values.port} is taken: npm run docs -- --port 8091\n`
      : `The site cannot be served: ${error.message}\n`,
  );
  process.exit(1);
});
server.listen(Number(values.port), '127.0.0.1', () => {
  process.stdout.write(`The documents are at http://127.0.0.1:${server.address().port}/  (Ctrl-C ends it)\n`);
});
