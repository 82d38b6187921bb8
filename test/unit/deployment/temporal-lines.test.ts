import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { readRootFile } from '../../support/deployment-tools.js';
import { documentsForReaders } from '../../support/document-blocks.js';

const run = promisify(execFile);
/** Each command of temporal, in fenced blocks and in the running text, with what continues on the next line. */
function commandsOf(file: string): string[] {
  const text = readRootFile(file).replaceAll(/\\\n\s*/g, ' ');
  const lines = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'));
  const inText = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, one]) => one!);
  return [...lines, ...inText].flatMap(
    (line) => line.match(/(?<=^|\| |&& |\$\(|; )temporal .*?(?=\)? \| | && |\s+# |\)"|$)/g) ?? [],
  );
}
describe('a command of temporal in the documents', () => {
  // Texts of the API name commands in part.
  const commands = documentsForReaders()
    .filter((file) => !file.startsWith('docs/reference/http/'))
    .flatMap((file) => commandsOf(file).map((command) => [file, command] as const))
    .filter(([, command]) => / --\w/.test(command));
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
