import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { CommandError, EXIT } from './exit-codes.js';
import { openInput } from './read-input.js';

export type Row = Record<string, unknown>;
export const ROW_FORMATS = ['json', 'ndjson', 'csv'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** A row and where it stands: counted from 1, without the heading of a CSV file. */
export interface PlacedRow {
  at: number;
  row: Row;
}

/** The format that a name ends in; NDJSON for the standard streams. @throws CommandError for another ending */
export function formatOf(path: string): RowFormat {
  if (path === '-') return 'ndjson';
  const ending = path.toLowerCase().split('.').at(-1) ?? '';
  if (ending === 'jsonl') return 'ndjson';
  const found = ROW_FORMATS.find((format) => format === ending);
  if (found) return found;
  throw new CommandError(
    EXIT.usage,
    'format_unknown',
    `The format of ${path} cannot be told from its name.`,
    `Name it: --format ${ROW_FORMATS.join(', ')}.`,
  );
}

const malformed = (path: string, at: number, said: string) =>
  new CommandError(
    EXIT.usage,
    'input_malformed',
    `${path}, row ${at}: ${said}`,
    'Mend the row, or take it out; rows before it were answered.',
  );

/**
 * Reads rows one after another, never the whole file.
 * @param path for messages, and what is read where no input is given
 * @throws CommandError with the row that cannot be read
 */
export async function* readRows(
  path: string,
  format: RowFormat,
  input: NodeJS.ReadableStream = openInput(path),
): AsyncGenerator<PlacedRow> {
  if (format === 'csv') yield* readCsv(path, input);
  else if (format === 'ndjson') yield* readLines(path, input);
  else yield* readJson(path, input);
}

async function* readCsv(path: string, input: NodeJS.ReadableStream): AsyncGenerator<PlacedRow> {
  // A pipe does not pass failures on.
  const parser = parse({ columns: true, bom: true, skip_empty_lines: true });
  input.on('error', (error) => parser.destroy(error)).pipe(parser);
  let at = 0;
  try {
    for await (const row of parser) yield { at: ++at, row: row as Row };
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith('CSV_')) throw error;
    throw malformed(path, at + 1, (error as Error).message);
  }
}

async function* readLines(path: string, input: NodeJS.ReadableStream): AsyncGenerator<PlacedRow> {
  let at = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line.trim() === '') continue;
    yield { at: ++at, row: asRow(path, at, parseJson(path, at, line)) };
  }
}

/** A JSON file is one object, or a list of them. */
async function* readJson(path: string, input: NodeJS.ReadableStream): AsyncGenerator<PlacedRow> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk));
  const value = parseJson(path, 1, Buffer.concat(chunks).toString('utf8'));
  for (const [index, one] of (Array.isArray(value) ? value : [value]).entries())
    yield { at: index + 1, row: asRow(path, index + 1, one) };
}

function parseJson(path: string, at: number, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw malformed(path, at, (error as Error).message);
  }
}

function asRow(path: string, at: number, value: unknown): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  throw malformed(path, at, 'is no JSON object.');
}
