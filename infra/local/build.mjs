// `npm run build`: the database client, the compiled sources, the workflows as one file, and the console.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bootstrap.mjs';

const bin = (name) => join(root, 'node_modules', name);

function run(args, env = {}) {
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Compiled files whose source is gone. (Emptying dist/ first would pull the rug from under a running stack.) */
function removeOrphans(folder) {
  for (const entry of readdirSync(join(root, 'dist', folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (path === 'console') continue;
    if (entry.isDirectory()) removeOrphans(path);
    else if (/\.js(\.map)?$/.test(path) && folder !== '') {
      const source = path.replace(/\.js(\.map)?$/, '.ts');
      if (!existsSync(join(root, source))) rmSync(join(root, 'dist', path));
    }
  }
}

// Generating needs no schema engine, but Prisma would download one unless told where one is; any executable will do.
run([bin('prisma/build/index.js'), 'generate'], {
  PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
  CHECKPOINT_DISABLE: '1',
});
run([bin('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
// Plain Node, since it serves before the first build as well.
copyFileSync(join(root, 'infra/local/step-times.mjs'), join(root, 'dist/infra/local/step-times.mjs'));
removeOrphans('');
run([join(root, 'workflows/bundle.mjs')]);
run([join(root, 'infra/local/build-console.mjs')]);
