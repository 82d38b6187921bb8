import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { projectRoot } from '../../../services/project-root.js';
import { readRootFile } from '../../support/deployment-tools.js';

const run = promisify(execFile);
const documents = ['guide', 'runbooks'].flatMap((folder) =>
  readdirSync(join(projectRoot(), 'docs', folder)).map((name) => `docs/${folder}/${name}`),
);

/** Each command that begins so, in fenced blocks and in the running text, with what continues on the next line. */
function commandsOf(file: string, beginning: string): string[] {
  const text = readRootFile(file).replaceAll(/\\\n\s*/g, ' ');
  const lines = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'));
  const inText = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, one]) => one!);
  return [...lines, ...inText].flatMap(
    (line) =>
      line.match(new RegExp(`(?<=^|\\| |&& |\\$\\(|; )${beginning} .*?(?=\\)? \\| | && |\\s+# |\\)"|$)`, 'g')) ?? [],
  );
}
const all = (beginning: string) =>
  documents.flatMap((file) => commandsOf(file, beginning).map((command) => [file, command] as const));

describe('a command of temporal in the documents', () => {
  const commands = all('temporal').filter(([, command]) => / --\w/.test(command));
  let binary: string;
  beforeAll(async () => {
    binary = await resolveTemporalBinary(() => undefined);
  });

  it('is there to be looked at', () => {
    expect(commands.length).toBeGreaterThan(15);
  });

  it.each(commands)('is understood: %s: %s', async (_file, command) => {
    const line = command
      .replace(/^temporal/, '"$0"')
      .replaceAll(/-time …/g, '-time 2026-01-01T00:00:00Z')
      .replaceAll('…', 'x')
      .replaceAll(/ -y\b/g, ' --yes');
    const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1', TOKEN: 'x', JOB: 'x' };
    const said = await run('bash', ['-c', `${line} --client-connect-timeout 1s < /dev/null`, binary], { env }).then(
      ({ stdout }) => stdout,
      ({ stderr }: { stderr: string }) => stderr,
    );
    expect(said).not.toMatch(/unknown (flag|command|shorthand)|required flag|invalid argument|Usage:\s+temporal/i);
  });
});

describe('a call of the API in the documents', () => {
  const calls = all('curl').flatMap(([file, command]) => {
    const path = /(?:127\.0\.0\.1|localhost):8080(\/[^\s"'?`)]*)/.exec(command)?.[1];
    const method = /-X (\w+)/.exec(command)?.[1] ?? (/ (-d|--data\S*|-T|-F) /.test(command) ? 'POST' : 'GET');
    return path === undefined ? [] : [[file, method.toLowerCase(), path] as const];
  });

  it('is there to be looked at', () => {
    expect(calls.length).toBeGreaterThan(20);
  });

  it('is one that the service has', () => {
    const shapes = ALL_ROUTES.map(
      ({ method, path }) => [method as string, new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)] as const,
    );
    // Besides the table of routes.
    const others = /^\/(openapi\.json|docs|ui|metrics|health)(\/|$)/;
    const unknown = calls.filter(
      ([, method, path]) => !others.test(path) && !shapes.some(([of, shape]) => of === method && shape.test(path)),
    );
    expect(unknown).toEqual([]);
  });
});
