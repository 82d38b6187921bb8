import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { projectRoot } from '../../services/project-root.js';
import { blocksOf } from '../support/document-blocks.js';

const client = join(projectRoot(), 'clients/typescript');
const scratch = mkdtempSync(join(tmpdir(), 'client-package-'));
const run = (command: string, args: string[], cwd: string) => execFileSync(command, args, { cwd, encoding: 'utf8' });
const versionIn = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
/** What the blocks of the readme need of Node. */
const NODE = 'declare const process: { env: Record<string, string | undefined> };';
/** The readme's own example, up to where a service is needed. */
const PROGRAM = `import { createClient, ServiceProblem } from '@zoptal/ml-pipeline-client';
const answers = { fetch: async () => new Response('{"prediction_id":"pred_1"}', { headers: { 'content-type': 'application/json' } }) };
const client = createClient('http://service.test', answers);
const { prediction_id: id } = await client.post('/predict/{model}', { path: { model: 'm' }, body: { features: {} } });
console.log(id, typeof ServiceProblem);
`;

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('packs a client that another project installs, compiles against and runs, of the version of the service', (context) => {
  expect(versionIn(client)).toBe(versionIn(projectRoot()));
  try {
    run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], client);
  } catch (error) {
    process.stderr.write(`The client is not packed here, as npm cannot install what it needs: ${String(error)}\n`);
    context.skip();
  }
  const [packed] = JSON.parse(run('npm', ['pack', '--silent', '--json', '--pack-destination', scratch], client)) as [
    { filename: string; files: { path: string }[] },
  ];
  expect(packed.files.map(({ path }) => path).sort()).toEqual([
    'LICENSE',
    'README.md',
    'dist/client.d.ts',
    'dist/client.js',
    'dist/schema.d.ts',
    'dist/schema.js',
    'package.json',
  ]);
  writeFileSync(join(scratch, 'package.json'), '{ "name": "caller", "private": true, "type": "module" }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(scratch, packed.filename)], scratch);
  writeFileSync(join(scratch, 'program.mts'), PROGRAM);
  const shown = blocksOf('clients/typescript/README.md').filter(({ language }) => language === 'ts');
  expect(shown.length).toBeGreaterThan(1);
  writeFileSync(join(scratch, 'readme.mts'), [NODE, ...shown.map(({ text }) => text)].join('\n'));
  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom',
    '--strict',
    '--skipLibCheck',
    'program.mts',
    'readme.mts',
  ];
  run(process.execPath, [join(client, 'node_modules/typescript/bin/tsc'), ...options], scratch);
  expect(run(process.execPath, ['program.mjs'], scratch)).toBe('pred_1 function\n');
});
