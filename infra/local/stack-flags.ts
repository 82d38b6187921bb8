import { parseArgs } from 'node:util';

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

export const HELP = `Usage: npm start -- [flags]

Starts the whole service on this machine: PostgreSQL, Temporal with its Web UI, the workers and the API.
On the first start it also simulates demo data, and trains and deploys a model on it.

  --port <n>           port of the API (default 8080, or PORT; 0 takes a free one)
  --temporal-port <n>  port of Temporal (default 7233 where it is free)
  --ui-port <n>        port of the Temporal Web UI (default 8233 where it is free)
  --state-dir <path>   folder for everything that is kept (default .state, or STATE_DIR)
  --log-level <level>  TRACE, DEBUG, INFO, WARN or ERROR (default INFO, or LOG_LEVEL)
  --no-demo            no demo data and no demo model
  --fresh              delete the state folder first, with all data and models in it
  --help               this text

DATABASE_URL and TEMPORAL_ADDRESS, where set, are used instead of the embedded servers.`;

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
