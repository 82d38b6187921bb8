import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../services/project-root.js';
import { readManifests } from '../../support/deployment-tools.js';

/** Where nothing answers: a command that comes so far was understood, as is one that waits for what is piped into it. */
const NOWHERE = ['--server=http://127.0.0.1:1', '--request-timeout=1s'];
const UNREACHABLE =
  /connection to the server 127\.0\.0\.1:1 was refused|dial tcp 127\.0\.0\.1:1|no objects passed to apply/;
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
if (!hasKubectl)
  process.stderr.write('SKIPPED trying the commands of kubectl in the documents: it is not installed.\n');

/** Each command of a fenced block, with what continues on the next line and without what it is piped into, and each in the running text. */
function commandsOf(file: string): string[] {
  const text = readFileSync(join(projectRoot(), file), 'utf8').replaceAll(/\\\n\s*/g, ' ');
  const lines = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'));
  const inText = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`(kubectl [^`\n]* -[^`\n]*)`/g)].map(
    ([, one]) => one!,
  );
  return [...lines, ...inText].flatMap(
    (line) => line.match(/(?<=^|\| |&& |\$\()kubectl .*?(?=\)? \| | && |\s+# |\)"|$)/g) ?? [],
  );
}

/** Where commands run: with the files that they name, which whoever copies them has. */
const folder = mkdtempSync(join(tmpdir(), 'mlops-kubectl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makeNamedFiles(command: string): void {
  for (const [, name] of command.matchAll(/ (?:--from-file=[^\s=]+=|-f )([\w./-]+\.\w+)/g)) {
    mkdirSync(dirname(join(folder, name!)), { recursive: true });
    const isOurs = name!.includes('/');
    writeFileSync(join(folder, name!), isOurs ? readFileSync(join(projectRoot(), name!)) : 'x');
  }
}

const documents = [
  'README.md',
  ...['guide', 'runbooks'].flatMap((folder) =>
    readdirSync(join(projectRoot(), 'docs', folder)).map((name) => `docs/${folder}/${name}`),
  ),
];
const commands = documents.flatMap((file) => commandsOf(file).map((command) => [file, command] as const));
const known = new Set(readManifests().map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`));
const KINDS: Record<string, string> = { svc: 'service', pvc: 'persistentvolumeclaim', hpa: 'horizontalpodautoscaler' };

describe('a command of kubectl in the documents', () => {
  it('is there to be looked at', () => {
    expect(commands.length).toBeGreaterThan(15);
  });

  it.each(commands)('names what the manifests have: %s: %s', (_file, command) => {
    const named = command.matchAll(/\b(statefulset|deployment|job|svc|pvc|hpa)[/ ]([a-z][a-z0-9-]*)/g);
    const missing = [...named]
      .map(([, kind, name]) => `${KINDS[kind!] ?? kind}/${name}`)
      .filter((one) => !known.has(one));
    expect(missing).toEqual([]);
  });

  it.skipIf(!hasKubectl).each(commands)('is understood: %s: %s', (_file, command) => {
    // The shell takes quotes apart, as it does for whoever copies the line.
    const line = command.replace(/^kubectl/, `kubectl ${NOWHERE.join(' ')}`).replaceAll('…', 'x');
    makeNamedFiles(command);
    const { status, stderr } = spawnSync('bash', ['-c', `${line} < /dev/null`], { cwd: folder, encoding: 'utf8' });
    expect(status === 0 || UNREACHABLE.test(stderr), stderr).toBe(true);
  });
});
