// `node infra/local/run.mjs <compiled script> [flags]`: installs and builds what is missing, then runs one script of dist/.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNode, fail, prepareAside, root } from './bootstrap.mjs';

checkNode();
const [, , script, ...flags] = process.argv;
if (!script) fail('Usage: node infra/local/run.mjs <script below dist/> [flags]');
try {
  await prepareAside();
} catch (error) {
  fail(error.message);
}
const path = join(root, 'dist', script);
process.argv = [process.argv[0], path, ...flags];
await import(pathToFileURL(path).href);
