import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../services/project-root.js';

export interface StackFlags {
  help: boolean;
  fresh: boolean;
  demo: boolean;
  port?: number;
  temporalPort?: number;
  uiPort?: number;
  stateDir?: string;
  logLevel?: string;
}

/** What `--help` prints; `start.mjs` prints the same file before anything is installed. */
export function helpText(): string {
  return readFileSync(join(projectRoot(), 'infra', 'local', 'stack-help.txt'), 'utf8');
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  fresh: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
  port: { type: 'string' },
  'temporal-port': { type: 'string' },
  'ui-port': { type: 'string' },
  'state-dir': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

/** @throws Error that says which flag is wrong. */
export function parseStackFlags(args: readonly string[]): StackFlags {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new Error(`${(error as Error).message.split('. To', 1)[0]}. \`npm start -- --help\` lists the flags.`);
  }
  const port = (name: 'port' | 'temporal-port' | 'ui-port') => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
      throw new Error(`--${name} must be a number from 0 to 65535, not "${text}".`);
    return Number(text);
  };
  return {
    help: values.help ?? false,
    fresh: values.fresh ?? false,
    demo: !values['no-demo'],
    port: port('port'),
    temporalPort: port('temporal-port'),
    uiPort: port('ui-port'),
    stateDir: values['state-dir'],
    logLevel: values['log-level'],
  };
}
