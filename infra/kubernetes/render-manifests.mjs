// `npm run manifests`: writes k8s/deployment.yaml, the overlay for production as one file for `kubectl apply -f`. Needs kubectl or kustomize.
// With --check it writes nothing and ends with 1 where the file is out of date; the digest in its first lines tells that without either.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const target = join(root, 'k8s', 'deployment.yaml');

/** Of every file that the rendered one is made of. */
function digestOfSources() {
  const hash = createHash('sha256');
  const names = readdirSync(here, { recursive: true, encoding: 'utf8' })
    .map((one) => one.replaceAll('\\', '/'))
    .filter((name) => /^(base|overlays\/production)\/.*\.yaml$/.test(name));
  for (const name of names.sort((one, other) => (one < other ? -1 : 1)))
    hash.update(`${name}\n${readFileSync(join(here, name), 'utf8')}\n`);
  return hash.digest('hex');
}

function render() {
  const overlay = join(here, 'overlays', 'production');
  const failures = [];
  for (const [command, ...args] of [
    ['kubectl', 'kustomize', overlay],
    ['kustomize', 'build', overlay],
  ]) {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
    if (status === 0) return stdout;
    failures.push(`${command}: ${error?.message ?? stderr.trim()}`);
  }
  process.stderr.write(`Neither kubectl nor kustomize could render the manifests.\n${failures.join('\n')}\n`);
  process.exit(1);
}

const header = `# Made by \`npm run manifests\` from infra/kubernetes/overlays/production. Change that, not this.\n# Sources: ${digestOfSources()}\n`;
if (process.argv.includes('--check')) {
  if (!readFileSync(target, 'utf8').startsWith(header)) {
    process.stderr.write('k8s/deployment.yaml is out of date. Run: npm run manifests\n');
    process.exitCode = 1;
  }
} else {
  const text = header + render();
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}
