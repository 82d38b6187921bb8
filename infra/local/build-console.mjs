// Bundles the console into dist/console, each file also compressed, so that the API sends it as it lies there. Unchanged sources are not
// bundled again.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';
import { describeSource, hashOf, root } from './bootstrap.mjs';

const OUTPUT = join(root, 'dist/console');
const STAMP = join(OUTPUT, '.built-from');
const SOURCES = ['console', 'clients/typescript/client.ts', 'package-lock.json'];
/** Files of earlier builds stay so long for the pages that are open and the service that runs. */
const KEEP_MS = 86_400_000;

/** Beside each text lies what a browser gets that takes brotli or gzip. */
function compress(folder) {
  for (const name of readdirSync(folder)) {
    if (!/\.(js|css|svg|html)$/.test(name)) continue;
    const path = join(folder, name);
    const content = readFileSync(path);
    writeFileSync(
      `${path}.br`,
      brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    );
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  }
}

function removeOldAssets(folder, written) {
  for (const name of readdirSync(folder)) {
    const isWritten = written.has(name.replace(/\.(br|gz)$/, ''));
    if (!isWritten && Date.now() - statSync(join(folder, name)).mtimeMs > KEEP_MS) rmSync(join(folder, name));
  }
}

const wanted = hashOf(SOURCES.map(describeSource).join('\n'));
const isBuilt = existsSync(join(OUTPUT, 'index.html')) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted;
if (!isBuilt) {
  const { output } = await build({ configFile: join(root, 'console/vite.config.ts'), logLevel: 'warn' });
  const assets = join(OUTPUT, 'assets');
  compress(assets);
  removeOldAssets(assets, new Set(output.map(({ fileName }) => fileName.replace('assets/', ''))));
  writeFileSync(
    join(OUTPUT, 'assets.json'),
    JSON.stringify(output.map(({ fileName }) => fileName).sort(), undefined, 2),
  );
  writeFileSync(STAMP, wanted);
}
