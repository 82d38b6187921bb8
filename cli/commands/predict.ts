import { ReadStream, statSync } from 'node:fs';
import type { Command } from 'commander';
import { addCommand, type CommandRun } from '../command-run.js';
import type { Connection } from '../connection.js';
import { EXIT, usageError, type ExitCode } from '../exit-codes.js';
import { formatOf, readRows, ROW_FORMATS, type PlacedRow, type Row, type RowFormat } from '../input-rows.js';
import { openOutput, type RowWriter } from '../output-rows.js';
import { openInput, readJsonObject } from '../read-input.js';
import { instanceOf, unusedColumns, type Wanted } from '../row-instance.js';
import { cellText, formatNumber, sharedProgress } from '../terminal.js';
import { wholeNumber } from './train.js';

interface PredictOptions {
  data?: string;
  input?: string;
  output: string;
  format?: RowFormat;
  outputFormat?: RowFormat;
  entity?: string;
  modelVersion?: string;
  batchSize: string;
  contributions?: boolean;
}

const MOST_ROWS_A_CALL = 10_000;
const ERRORS_SHOWN = 5;

/** `predict`: one request, or a file of rows into a file of answers. */
export function addPredictCommand(program: Command): void {
  addCommand<PredictOptions>(program, 'predict <model>', {
    summary: 'ask a model: one request, or a file of rows; ends with 1 when a row could not be answered',
    examples: [
      `mlops predict project_outcome --data '{"features": {"team_size": 3, "complexity_score": 0.7}}' --contributions`,
      'mlops predict project_outcome --input data/samples/projects.csv --entity project_id --output answers.csv',
      'cat rows.ndjson | mlops predict project_outcome --input - > answers.ndjson',
    ],
    options: (command) =>
      command
        .option('--data <json>', 'the body of POST /predict/{model}, or @file.json')
        .option('--input <file>', 'rows: CSV with a heading, NDJSON or JSON; - for the standard input')
        .option('--output <file>', 'where the answers go; - for the standard output', '-')
        .addOption(
          command.createOption('--format <format>', 'of the input, where its name does not tell').choices(ROW_FORMATS),
        )
        .addOption(
          command
            .createOption('--output-format <format>', 'of the output, where its name does not tell')
            .choices(ROW_FORMATS),
        )
        .option('--entity <column>', 'the column that names what a row is about')
        .option('--model-version <version>', 'a version or an alias; what is served by default')
        .option('--batch-size <n>', 'rows a call', '500')
        .option('--contributions', 'with --data: what each feature has contributed'),
    async act(run) {
      const { data, input } = run.options;
      if ((data === undefined) === (input === undefined))
        throw usageError('Give --data with one request, or --input with a file of rows.');
      return data === undefined ? predictFile(run) : predictOne(run, data);
    },
  });
}

async function predictOne(
  { connection, terminal, options, args }: CommandRun<PredictOptions>,
  data: string,
): Promise<void> {
  const body = {
    ...(await readJsonObject(data, '--data')),
    ...(options.modelVersion === undefined ? {} : { model_version: options.modelVersion }),
    ...(options.contributions ? { explain: true } : {}),
  };
  const answer = await connection.client.post('/predict/{model}', { path: { model: args[0]! }, body: body as never });
  terminal.print(`${answer.model} ${answer.model_version}  ${answer.prediction_id}`);
  for (const [head, value] of Object.entries(answer.predictions)) {
    const score = answer.confidence_scores[head];
    terminal.print(
      `  ${head}: ${cellText(value)}${score === undefined ? '' : `  (confidence ${formatNumber(score)})`}`,
    );
    for (const part of (answer.explanations?.[head] ?? []).slice(0, 8))
      terminal.print(
        `    ${part.contribution > 0 ? '+' : ''}${formatNumber(part.contribution)}  ${part.feature} = ${String(part.value)}`,
      );
  }
  for (const { path, message } of answer.warnings ?? []) terminal.remark(`  warning: ${path}: ${message}`);
  terminal.printJson(answer);
}

/** What the version that will answer wants to know. */
async function wantedBy(connection: Connection, model: string, version: string): Promise<Wanted> {
  if (connection.isExplaining) return { kind: '', features: [] };
  const found = await connection.client.get('/models/{model}/versions/{version}', { path: { model, version } });
  const { features = [] } = found.signature as { features?: Wanted['features'] };
  return { kind: found.kind, features };
}

interface Tally {
  answered: number;
  failed: number;
}

/** Tells how far a file has been read; of a pipe only how many rows have come. */
function describeProgress(path: string, input: NodeJS.ReadableStream): (rows: number) => string {
  const startMs = Date.now();
  if (!(input instanceof ReadStream) || path === '-') return (rows) => `${rows} rows`;
  const bytes = Math.max(1, statSync(path).size);
  return (rows) => sharedProgress(input.bytesRead / bytes, `${rows} rows`, Date.now() - startMs);
}

async function predictFile(run: CommandRun<PredictOptions>): Promise<ExitCode> {
  const { connection, terminal, options, args } = run;
  const size = wholeNumber(options.batchSize, '--batch-size') ?? 0;
  if (size < 1 || size > MOST_ROWS_A_CALL) throw usageError(`--batch-size must be between 1 and ${MOST_ROWS_A_CALL}.`);
  const format = options.format ?? formatOf(options.input!);
  const outputFormat = options.outputFormat ?? (options.output === '-' ? 'ndjson' : formatOf(options.output));
  const wanted = await wantedBy(connection, args[0]!, options.modelVersion ?? 'production');
  const writer = openOutput(options.output, outputFormat);
  const tally: Tally = { answered: 0, failed: 0 };
  const input = openInput(options.input!);
  const describe = describeProgress(options.input!, input);
  const show = () => terminal.move(describe(tally.answered + tally.failed), 'rows');
  try {
    let batch: PlacedRow[] = [];
    for await (const placed of readRows(options.input!, format, input)) {
      if (placed.at === 1) tellUnused(run, placed.row, wanted);
      batch.push(placed);
      if (batch.length < size) continue;
      await answerBatch(run, batch, wanted, writer, tally);
      show();
      batch = [];
    }
    if (batch.length > 0) await answerBatch(run, batch, wanted, writer, tally);
    await writer.close();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  terminal.settle();
  if (!terminal.isJson || options.output === '-')
    terminal.remark(`${tally.answered} rows answered, ${tally.failed} not.`);
  if (options.output !== '-') terminal.printJson({ ...tally, output: options.output });
  return tally.failed > 0 ? EXIT.failed : EXIT.ok;
}

function tellUnused({ terminal, options }: CommandRun<PredictOptions>, row: Row, wanted: Wanted): void {
  const unused = unusedColumns(row, wanted, options.entity);
  if (unused.length > 0 && wanted.features.length > 0)
    terminal.remark(`The version does not know, and is not told: ${unused.join(', ')}.`);
}

async function answerBatch(
  { connection, terminal, options, args }: CommandRun<PredictOptions>,
  batch: readonly PlacedRow[],
  wanted: Wanted,
  writer: RowWriter,
  tally: Tally,
): Promise<void> {
  const instances = batch.map(({ row }) => instanceOf(row, wanted, options.entity));
  const version = options.modelVersion === undefined ? {} : { model_version: options.modelVersion };
  const { results } = (await connection.client.post('/predict/{model}/batch', {
    path: { model: args[0]! },
    body: { instances, ...version } as never,
  })) as unknown as { results: Row[] };
  for (const [index, result] of results.entries()) {
    const error = result['error'] as { detail: string; errors?: { path: string; message: string }[] } | undefined;
    if (!error) {
      tally.answered++;
      continue;
    }
    tally.failed++;
    const [first] = error.errors ?? [];
    if (tally.failed <= ERRORS_SHOWN)
      terminal.remark(`row ${batch[index]!.at}: ${first ? `${first.path}: ${first.message}` : error.detail}`);
    if (tally.failed === ERRORS_SHOWN + 1)
      terminal.remark('… further rows that could not be answered are in the output only.');
  }
  await writer.write(results.map((answer, index) => ({ at: batch[index]!.at, answer })));
}
