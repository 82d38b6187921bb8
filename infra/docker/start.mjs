// The start script of the image: `node infra/docker/start.mjs <program> [flags]`. Runs one program of dist/ in this very process, so that
// signals reach it.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PROGRAMS = {
  api: 'api/server.js',
  'pipeline-worker': 'workers/pipeline-worker.js',
  'training-worker': 'workers/training-worker.js',
  migrate: 'commands/migrate.js',
  token: 'commands/token.js',
  backup: 'commands/backup.js',
  restore: 'commands/restore.js',
  reencrypt: 'commands/reencrypt.js',
  release: 'commands/release.js',
};

const [, , program, ...flags] = process.argv;
const script = Object.hasOwn(PROGRAMS, program ?? '') ? PROGRAMS[program] : undefined;
if (!script) {
  process.stderr.write(
    `${program ? `There is no program "${program}". ` : ''}Give one of ${Object.keys(PROGRAMS).join(', ')}.\n`,
  );
  process.exit(2);
}
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const path = join(root, 'dist', script);
if (!existsSync(path)) {
  process.stderr.write(`${path} is missing: the image is incomplete. Build it with infra/docker/Dockerfile.\n`);
  process.exit(2);
}
process.setSourceMapsEnabled(true);
// cluster.fork starts what stands here once more.
process.argv = [process.argv[0], path, ...flags];
await import(pathToFileURL(path).href);
