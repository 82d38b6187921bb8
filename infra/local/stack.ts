import { isAbsolute, join, resolve } from 'node:path';
import { projectRoot } from '../../services/project-root.js';
import { EXAMPLE_REQUEST, runDemo } from './demo.js';
import { checkDiskSpace } from './check-disk-space.js';
import { checkGivenServers } from './check-given-servers.js';
import { checkSettings, refuseOtherHosts } from './check-settings.js';
import { LocalStack, type RunStep, type StackAddresses } from './local-stack.js';
import { runSilently, showStep } from './progress-lines.js';
import { helpText, parseStackFlags, type StackFlags } from './stack-flags.js';

/** `npm` passes a terminal's Ctrl-C on to a child that the terminal has told already: one press, two signals. */
const SAME_PRESS_MS = 500;
/** Set by the first signal; the work under way then ends by itself. */
const stopping = new AbortController();

const write = (text: string) => process.stdout.write(`${text}\n`);

function readFlags(): StackFlags {
  try {
    return parseStackFlags(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(helpText());
    return;
  }
  const startMs = Date.now();
  const step = flags.quiet ? runSilently : showStep;
  if (!flags.quiet) write('ML Pipeline Service');
  for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS'] as const) {
    if (process.env[name]) write(`  ! ${name} is set, so that server is used instead of an embedded one.`);
  }
  const stack = createStack(flags);
  stopOnSignals(stack);
  checkDiskSpace(stack.options.stateDir);
  refuseOtherHosts(process.env['HOST']);
  await checkSettings(stack.environment());
  await checkGivenServers(process.env, (line) => process.stderr.write(`  ! ${line}\n`));
  const addresses = await stack.start(step);
  const answer = flags.demo ? await tryDemo(addresses, step) : undefined;
  if (stopping.signal.aborted) return;
  write(`\nReady after ${((Date.now() - startMs) / 1000).toFixed(1)} s.\n\n${describe(addresses, answer)}`);
  // Whatever becomes of the children, this process stays until a signal.
  setInterval(() => undefined, 2 ** 30);
}

function createStack(flags: StackFlags): LocalStack {
  const stateDir = flags.stateDir ?? '.state';
  return new LocalStack({
    stateDir: isAbsolute(stateDir) ? stateDir : resolve(projectRoot(), stateDir),
    fresh: flags.fresh,
    port: flags.port ?? 8080,
    temporalPort: flags.temporalPort,
    uiPort: flags.uiPort,
    logLevel: flags.logLevel,
    external: { databaseUrl: process.env['DATABASE_URL'], temporalAddress: process.env['TEMPORAL_ADDRESS'] },
    onRestart: (part, how) => write(`  ! ${part} ended (${how}) and is started again`),
  });
}

/** The service is worth having without its demo, so a failure of it ends nothing. */
async function tryDemo(addresses: StackAddresses, step: RunStep): Promise<unknown> {
  try {
    return await runDemo(addresses, step, stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted)
      process.stderr.write(
        `\n  The demo did not end well: ${messageOf(error)}\n  The service runs all the same. The next start tries the demo again; --no-demo leaves it out.\n`,
      );
    return undefined;
  }
}

function stopOnSignals(stack: LocalStack): void {
  let firstMs = 0;
  const stop = async () => {
    if (firstMs > 0) {
      if (Date.now() - firstMs < SAME_PRESS_MS) return;
      write('\nStopping at once.');
      // The listener below ends the rest.
      process.exit(130);
    }
    firstMs = Date.now();
    stopping.abort();
    write('\nStopping (Ctrl-C again to stop at once) …');
    await stack.stop();
    write(`Stopped after ${((Date.now() - firstMs) / 1000).toFixed(1)} s. Everything is kept.`);
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
  // However this process ends, short of SIGKILL, nothing that it started runs on.
  process.once('exit', () => stack.abandon());
  // A closed terminal or a pager that was quit takes the output away, not the service.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

function describe(addresses: StackAddresses, answer: unknown): string {
  const database = new URL(addresses.databaseUrl);
  database.password = '';
  const lines = [
    `  API               ${addresses.api}`,
    `  API documents     ${addresses.api}/docs`,
    `  Console           ${addresses.api}/ui`,
    ...(addresses.temporalUi ? [`  Temporal Web UI   ${addresses.temporalUi}`] : []),
    `  Temporal          ${addresses.temporal}`,
    `  PostgreSQL        ${database.href}`,
    ...(process.env['DATABASE_URL']
      ? []
      : [`                    (password in ${join(addresses.stateDir, 'postgres', 'password')})`]),
    `  Logs              ${join(addresses.stateDir, 'logs')}`,
    '',
    answer
      ? '  A first prediction:'
      : '  A first prediction, once user_behavior has a version (docs/guide/your-own-data.md):',
    `    curl -s ${addresses.api}/predict/user-behavior -H 'content-type: application/json' \\`,
    `      -d '${JSON.stringify(EXAMPLE_REQUEST)}'`,
  ];
  if (answer) lines.push('', JSON.stringify(answer, undefined, 2).replaceAll(/^/gm, '    '));
  return `${lines.join('\n')}\n\n  Stop with Ctrl-C.`;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

try {
  await main();
} catch (error) {
  // After a signal the handler is still stopping things, and ends the process itself.
  if (!stopping.signal.aborted) {
    process.stderr.write(`\n${messageOf(error)}\n`);
    process.exit(1);
  }
}
