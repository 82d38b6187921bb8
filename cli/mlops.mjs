#!/usr/bin/env node
// `npx mlops …`. Runs the compiled command line; in a fresh clone it installs and builds first.
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(compiled)) {
  const { fail, prepareAside } = await import('../infra/local/bootstrap.mjs');
  await prepareAside().catch((error) => fail(error.message));
}
const { main } = await import(compiled.href);
process.exitCode = await main(process.argv.slice(2));
