import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { describeUnusedSettings } from '../../services/config.js';
import { projectRoot } from '../../services/project-root.js';
import { EXAMPLE_REQUEST, runDemo } from './demo.js';
import { reachableDataDir } from './embedded-postgres.js';
import { LocalStack, type StackAddresses } from './local-stack.js';
import { showStep } from './progress-lines.js';
import { helpText, parseStackFlags, type StackFlags } from './stack-flags.js';
import { lockState } from './state-lock.js';

/** Shows that a folder is one of ours, so that `--fresh` never deletes anything else. */
const MARKER = '.ml-pipeline-state';

async function main(): Promise<void> {
  let flags: StackFlags;
  try {
    flags = parseStackFlags(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
  if (flags.help) {
    process.stdout.write(helpText());
    return;
  }
  const stateDir = absolute(flags.stateDir ?? (process.env['STATE_DIR'] || '.state'));
  const startMs = Date.now();
  process.stdout.write('ML Pipeline Service\n');
  for (const line of describeUnusedSettings()) process.stdout.write(`  ! ${line}\n`);
  for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS'] as const) {
    if (process.env[name])
      process.stdout.write(`  ! ${name} is set, so that server is used instead of an embedded one.\n`);
  }
  if (flags.fresh) deleteState(stateDir);
  const stack = new LocalStack({
    stateDir,
    port: flags.port ?? Number(process.env['PORT'] || 8080),
    temporalPort: flags.temporalPort,
    uiPort: flags.uiPort,
    logLevel: flags.logLevel,
    onRestart: (part, how) => process.stdout.write(`  ! ${part} ended (${how}) and is started again\n`),
  });
  stopOnSignals(stack);
  const addresses = await stack.start(showStep);
  writeFileSync(join(stateDir, MARKER), '');
  const answer = flags.demo ? await runDemo(addresses, stateDir, showStep) : undefined;
  process.stdout.write(
    `\nReady after ${((Date.now() - startMs) / 1000).toFixed(1)} s.\n\n${describe(addresses, stateDir, answer)}\n`,
  );
  // The children's channels keep this process alive until a signal.
  setInterval(() => undefined, 2 ** 30);
}

const absolute = (path: string) => (isAbsolute(path) ? path : resolve(projectRoot(), path));

function deleteState(stateDir: string): void {
  if (!existsSync(stateDir)) return;
  if (!existsSync(join(stateDir, MARKER)) && !existsSync(join(stateDir, 'postgres'))) {
    throw new Error(`${stateDir} does not look like a state folder of this service, so --fresh does not delete it.`);
  }
  lockState(stateDir)();
  rmSync(stateDir, { recursive: true, force: true });
  rmSync(reachableDataDir(stateDir), { recursive: true, force: true });
  process.stdout.write(`  ✓ Deleted ${stateDir}\n`);
}

function stopOnSignals(stack: LocalStack): void {
  let count = 0;
  const stop = async () => {
    if (++count > 1) {
      process.stdout.write('\nStopping at once.\n');
      process.exit(130);
    }
    process.stdout.write('\nStopping (Ctrl-C again to stop at once; the next start then clears up) …\n');
    const startMs = Date.now();
    await stack.stop();
    process.stdout.write(`Stopped after ${((Date.now() - startMs) / 1000).toFixed(1)} s. Everything is kept.\n`);
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
}

function describe(addresses: StackAddresses, stateDir: string, answer: unknown): string {
  const lines = [
    `  API               ${addresses.api}`,
    `  API documents     ${addresses.api}/docs`,
    ...(addresses.temporalUi ? [`  Temporal Web UI   ${addresses.temporalUi}`] : []),
    `  Temporal          ${addresses.temporal}`,
    `  Logs              ${join(stateDir, 'logs')}`,
    '',
    '  A first prediction:',
    `    curl -s ${addresses.api}/predict/user-behavior -H 'content-type: application/json' \\`,
    `      -d '${JSON.stringify(EXAMPLE_REQUEST)}'`,
  ];
  if (answer) lines.push('', JSON.stringify(answer, undefined, 2).replaceAll(/^/gm, '    '));
  return `${lines.join('\n')}\n\n  Stop with Ctrl-C.`;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
