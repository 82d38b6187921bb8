/**
 * `npm run sbom [-- sbom.json]`: the software bill of materials, as CycloneDX 1.5 JSON: every package that the service runs with, and its
 * licence. It follows from the lock file alone, but for its time and its serial number. With `--check` it only holds the file to the schema.
 * Ends with 1 when the document does not fit the schema of CycloneDX.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';

/** @returns the document as text, without what is for development only */
function makeSbom() {
  // With `--omit dev` npm leaves out also what the service needs, where something that it is built with needs it too.
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const sbom = JSON.parse(execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 2 ** 28 }));
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const needed = new Set(
    Object.entries(packages)
      .filter(([path, { dev }]) => path !== '' && !dev)
      .map(([path, { name, version }]) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`),
  );
  sbom.components = sbom.components.filter(({ name, version }) => needed.has(`${name}@${version}`));
  const refs = new Set([sbom.metadata.component, ...sbom.components].map((component) => component['bom-ref']));
  sbom.dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
  // npm names the product after its folder.
  sbom.metadata.component.name = JSON.parse(readFileSync('package.json', 'utf8')).name;
  return `${JSON.stringify(sbom, null, 2)}\n`;
}

const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true });
const path = resolve(positionals[0] ?? 'sbom.json');
const text = values.check ? readFileSync(path, 'utf8') : makeSbom();
const errors = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text);
if (errors === null) {
  if (!values.check) writeFileSync(path, text);
  process.stdout.write(`${path}: ${JSON.parse(text).components.length} packages, fits CycloneDX 1.5\n`);
} else {
  process.stderr.write(`${path} does not fit CycloneDX 1.5: ${JSON.stringify(errors, null, 2)}\n`);
  process.exitCode = 1;
}
