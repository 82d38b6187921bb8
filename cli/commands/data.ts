import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ServiceProblem } from '../../clients/typescript/client.js';
import { addCommand, addLimitOption } from '../command-run.js';
import type { Connection } from '../connection.js';
import { CommandError, EXIT, usageError } from '../exit-codes.js';
import { finishJob } from '../follow-job.js';
import { installationRoot } from '../installation.js';
import { readJsonObject } from '../read-input.js';
import { renderTable, sharedProgress, type Terminal } from '../terminal.js';

interface IngestOptions {
  type?: string;
  options?: string;
  upload: boolean;
  wait: boolean;
}

/** How a file is called by its ending, and how the service wants to hear it. */
const CONTENT_TYPE = 'application/octet-stream';
const FORMATS: Record<string, string> = {
  csv: 'csv',
  tsv: 'tsv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'json',
  parquet: 'parquet',
  arrow: 'arrow',
};
const PACKINGS: Record<string, string> = { gz: 'gzip', zst: 'zstd' };

/** `data.csv.gz` gives format and compression of the query of an upload. */
export function describeFile(path: string): { format: string; compression: string } {
  const parts = path.toLowerCase().split('.');
  const compression = PACKINGS[parts.at(-1) ?? ''];
  const format = FORMATS[parts.at(compression === undefined ? -1 : -2) ?? ''];
  if (format === undefined)
    throw usageError(
      `What ${path} holds cannot be told from its name.`,
      `Rename it to end in one of: ${Object.keys(FORMATS).join(', ')}; with .gz or .zst where it is packed.`,
    );
  return { format, compression: compression ?? 'none' };
}

const isAddress = (source: string) => /^[a-z0-9]+:/.test(source);
/** A name that is no file here, so that it can only be one of the service. */
const isSearchedElsewhere = (source: string) => !isAddress(source) && !existsSync(source);

/** The service looked below its own folders, since there is nothing to send. */
function explainMissing(source: string, { code, message, errors, correlationId }: ServiceProblem): CommandError {
  const hint = `There is no ${source} in ${process.cwd()} either: a file that is here is sent.`;
  return new CommandError(EXIT.refused, code, message, hint, errors, correlationId);
}

async function sourceOf(
  connection: Connection,
  terminal: Terminal,
  source: string,
  mayUpload: boolean,
): Promise<string> {
  const isElsewhere = isAddress(source) || !mayUpload || !existsSync(source);
  if (isElsewhere) return source;
  const query = new URLSearchParams(describeFile(source));
  const bytes = Math.max(1, statSync(source).size);
  const startMs = Date.now();
  const upload = await connection.sendFile(`/data/uploads?${query.toString()}`, source, CONTENT_TYPE, (sent) =>
    terminal.move(sharedProgress(sent / bytes, `sending ${source}`, Date.now() - startMs), 'sending'),
  );
  terminal.settle();
  return (upload as { source: string }).source;
}

/** `simulate`, `ingest` and `datasets`. */
export function addDataCommands(program: Command): void {
  addSimulateCommand(program);
  addCommand<IngestOptions>(program, 'ingest <source>', {
    summary: 'bring a table in: a file of yours is sent, any other source is read by the service',
    examples: [
      'mlops ingest data/samples/projects.csv --type projects',
      'mlops ingest s3://bucket/events/*.parquet --type user_events',
      `mlops ingest postgresql://reader@db.example.com/crm --type customers --options '{"table": "customers"}'`,
    ],
    options: (command) =>
      command
        .requiredOption('--type <data_type>', 'the name to keep it under; models name it as their `source`')
        .option('--options <json>', 'the `options` of POST /data/ingest, or @file.json')
        .option(
          '--no-upload',
          'the source is a path below the data folders of the service, even if such a file is here',
        )
        .option('--no-wait', 'do not wait for the end of the job'),
    async act({ connection, terminal, options, args }) {
      const given =
        options.options === undefined ? {} : { options: await readJsonObject(options.options, '--options') };
      const source = await sourceOf(connection, terminal, args[0]!, options.upload);
      const accepted = await connection.client
        .post('/data/ingest', { body: { source, data_type: options.type!, ...given } as never })
        .catch((error: unknown) => {
          if (!isSearchedElsewhere(source) || !(error instanceof ServiceProblem) || error.status !== 422) throw error;
          throw explainMissing(source, error);
        });
      return finishJob(connection, terminal, accepted, options.wait);
    },
  });
  addCommand<{ type?: string; limit: number }>(program, 'datasets', {
    summary: 'what has been ingested, newest first',
    examples: ['mlops datasets --type projects', 'mlops datasets --json'],
    options: (command) => addLimitOption(command.option('--type <data_type>', 'only of this name')),
    async act({ connection, terminal, options }) {
      const page = await connection.client.get('/data/datasets', {
        query: { data_type: options.type, limit: options.limit },
      });
      terminal.print(
        renderTable(
          ['DATASET', 'TYPE', 'ROWS', 'QUARANTINED', 'CREATED'],
          page.items.map((one) => [one.dataset_id, one.data_type, one.rows, one.quarantined_rows, one.created_at]),
        ),
      );
      terminal.printJson(page);
    },
  });
}

function addSimulateCommand(program: Command): void {
  program
    .command('simulate [flags...]')
    .summary('write a made-up developer platform to files or to PostgreSQL, to try things with')
    .description(
      'write a made-up developer platform to files or to PostgreSQL; its flags are those of `npm run simulate -- --help`',
    )
    .allowUnknownOption()
    .helpOption(false)
    .addHelpText('after', '\nExamples:\n  $ mlops simulate --users 2000 --output data/sample --format csv')
    .action((_flags: string[], _options: object, command: Command) => runSimulator(command.args));
}

/** In a process of its own: it is no part of the service, and what it loads would make every command slow. */
async function runSimulator(flags: readonly string[]): Promise<void> {
  const script = join(installationRoot(), 'dist', 'simulator', 'main.js');
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...flags], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === EXIT.usage)
    throw usageError(
      'The simulator cannot use these flags; it says above which.',
      '`npx mlops simulate --help` lists them.',
    );
  if (code !== 0) throw new CommandError(EXIT.failed, 'simulation_failed', `The simulator ended with code ${code}.`);
}
