// `npm start`: everything from nothing to a running service. Plain Node until the dependencies are there.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNode, fail, prepare, root } from './bootstrap.mjs';

checkNode();
try {
  await prepare();
  await import(pathToFileURL(join(root, 'dist/infra/local/stack.js')).href);
} catch (error) {
  fail(error.message);
}
