// `npm start`: everything from nothing to a running service. Plain Node until the dependencies are there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNode, fail, prepare, root } from './bootstrap.mjs';

checkNode();
if (process.argv.slice(2).some((flag) => flag === '--help' || flag === '-h')) {
  process.stdout.write(readFileSync(join(root, 'infra/local/stack-help.txt'), 'utf8'));
  process.exit(0);
}
try {
  await prepare();
  await import(pathToFileURL(join(root, 'dist/infra/local/stack.js')).href);
} catch (error) {
  fail(error.message);
}
