import { parseArgs } from 'node:util';
import { FILE_FORMATS, openFileSink, type FileFormat } from './file-sink.js';
import { openPostgresSink } from './postgres-sink.js';
import { simulatePlatform, type RowBatch, type SimulationSink } from './simulate-platform.js';
import { followSimulation } from './simulation-progress.js';
import { PARAMETER_FLAGS, parametersFromFlags, type Flags } from './simulation-flags.js';
import { DEFAULT_PARAMETERS, SimulationInputError, type SimulationParameters } from './simulation-parameters.js';

const HELP = `Simulates a developer platform and writes its source tables: users, user_events, projects, resource_metrics,
item_interactions. The same flags always give the same rows.

Examples:
  npm run simulate -- --database-url postgresql://user:pass@host:5432/source
  npm run simulate -- --output data/sample --format csv,parquet

Where to (one of them, or both):
  --database-url <url>         a PostgreSQL database; its simulated tables are replaced in one transaction
  --output <folder>            a folder for files
  --format <list>              csv, parquet or both (default parquet)
What:
  --users <n>                  default ${DEFAULT_PARAMETERS.users}
  --seed <n>                   default ${DEFAULT_PARAMETERS.seed}
  --start <date>               first day, UTC (default ${DEFAULT_PARAMETERS.start})
  --end <date>                 day at whose midnight it ends (default ${DEFAULT_PARAMETERS.end})
  --services <n>               measured services (default ${DEFAULT_PARAMETERS.services})
  --items <n>                  items that can be recommended (default ${DEFAULT_PARAMETERS.items})
  --metrics-step-minutes <n>   5 or 60 (default ${DEFAULT_PARAMETERS.metricsStepMinutes})
  --help                       this text
`;

function readFormats(text: string): FileFormat[] {
  const formats = text.split(',').map((format) => format.trim());
  const wrong = formats.find((format) => !FILE_FORMATS.some((known) => known === format));
  if (wrong !== undefined)
    throw new SimulationInputError(`--format is a list of ${FILE_FORMATS.join(' and ')}, not "${wrong}".`);
  return formats as FileFormat[];
}

async function openSinks(flags: Flags): Promise<SimulationSink[]> {
  const { 'database-url': databaseUrl, output, format } = flags;
  const sinks: SimulationSink[] = [];
  const formats = readFormats(typeof format === 'string' ? format : 'parquet');
  if (typeof format === 'string' && typeof output !== 'string')
    throw new SimulationInputError('--format needs --output <folder>.');
  if (typeof databaseUrl !== 'string' && typeof output !== 'string') {
    throw new SimulationInputError('Say where to write: --database-url <url>, --output <folder>, or both.');
  }
  try {
    if (typeof databaseUrl === 'string') sinks.push(await openPostgresSink(databaseUrl));
    if (typeof output === 'string') sinks.push(await openFileSink(output, formats));
  } catch (error) {
    await Promise.allSettled(sinks.map((sink) => sink.abandon()));
    throw error;
  }
  return sinks;
}

const TELL_MS = 500;
const LEAST_SHARE = 0.05;

/** Tells a terminal, or the program that has started this one, how far the simulation is. */
function showProgress(parameters: SimulationParameters, startedAt: number): (batch: RowBatch) => void {
  const follow = followSimulation(parameters);
  let saidAt = startedAt;
  return (batch) => {
    const share = follow(batch);
    const now = performance.now();
    if (now - saidAt < TELL_MS) return;
    saidAt = now;
    process.send?.({ share });
    if (!process.stderr.isTTY) return;
    // The first rows tell too little of the pace.
    const left = share > LEAST_SHARE ? `  about ${Math.ceil(((now - startedAt) / 1000) * (1 / share - 1))} s left` : '';
    process.stderr.write(`\r\x1b[2K  ${Math.round(share * 100)} %${left}`);
  };
}

/** Runs the command line; answers with the exit code: 1 where it failed, 2 where the command line itself is wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        ...PARAMETER_FLAGS,
        'database-url': { type: 'string' },
        output: { type: 'string' },
        format: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const parameters = parametersFromFlags(values);
    const startedAt = performance.now();
    const tell = showProgress(parameters, startedAt);
    const counts = await simulatePlatform(parameters, await openSinks(values), tell);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
    for (const [table, rows] of Object.entries(counts))
      process.stdout.write(`${table.padEnd(20)}${rows.toLocaleString('en-US').padStart(14)} rows\n`);
    process.stdout.write(
      `in ${((performance.now() - startedAt) / 1000).toFixed(1)} s, seed ${parameters.seed}, ${parameters.start} to ${parameters.end}\n`,
    );
    return 0;
  } catch (error) {
    const isUsage = error instanceof SimulationInputError || isFlagError(error);
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`simulate: ${message}${isUsage ? ' See --help.' : ''}\n`);
    return isUsage ? 2 : 1;
  }
}

function isFlagError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

if (import.meta.url === `file://${process.argv[1]}`) process.exitCode = await main(process.argv.slice(2));
