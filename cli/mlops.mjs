#!/usr/bin/env node
// `npx mlops …`. Runs the compiled command line; in a fresh clone it installs and builds first.
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(compiled)) {
  const { fail, prepare } = await import('../infra/local/bootstrap.mjs');
  // What a command prints is for programs too, so the build must not write there.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (...given) => process.stderr.write(...given);
  await prepare().catch((error) => fail(error.message));
  process.stdout.write = write;
}
const { main } = await import(compiled.href);
process.exitCode = await main(process.argv.slice(2));
