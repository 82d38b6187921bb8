import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../services/project-root.js';

export interface StackFlags {
  help: boolean;
  fresh: boolean;
  quiet: boolean;
  demo: boolean;
  port?: number;
  temporalPort?: number;
  uiPort?: number;
  stateDir?: string;
  logLevel?: string;
}

/** The flags that make up a port number. */
type PortFlag = 'port' | 'temporal-port' | 'ui-port';

const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

/** What `--help` prints; `start.mjs` prints the same file before anything is installed. */
export function helpText(): string {
  return readFileSync(join(projectRoot(), 'infra', 'local', 'stack-help.txt'), 'utf8');
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  fresh: { type: 'boolean' },
  quiet: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
  port: { type: 'string' },
  'temporal-port': { type: 'string' },
  'ui-port': { type: 'string' },
  'state-dir': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

/**
 * Reads the flags, and the variables that stand in for them.
 * @throws Error that says which one is wrong.
 */
export function parseStackFlags(args: readonly string[], environment: NodeJS.ProcessEnv): StackFlags {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new Error(`${(error as Error).message.split('. To', 1)[0]}. \`npm start -- --help\` lists the flags.`);
  }
  const port = (name: PortFlag) => readPort(`--${name}`, values[name]);
  const logLevel = values['log-level'];
  if (logLevel !== undefined && !LOG_LEVELS.includes(logLevel.toUpperCase()))
    throw new Error(`--log-level must be one of ${LOG_LEVELS.join(', ')}, not "${logLevel}".`);
  if (values['state-dir'] === '') throw new Error('--state-dir must name a folder, but it is empty.');
  return {
    help: values.help ?? false,
    fresh: values.fresh ?? false,
    quiet: values.quiet ?? false,
    demo: !values['no-demo'],
    port: port('port') ?? readPort('PORT', environment['PORT'] || undefined),
    temporalPort: port('temporal-port'),
    uiPort: port('ui-port'),
    stateDir: values['state-dir'] ?? (environment['STATE_DIR'] || undefined),
    logLevel: logLevel?.toUpperCase(),
  };
}

function readPort(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Error(`${name} must be a number from 0 to 65535, not "${text}".`);
  return Number(text);
}
