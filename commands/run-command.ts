import { parseArgs, type ParseArgsConfig } from 'node:util';
import { withoutCredentials } from '../services/telemetry/redact.js';

type Options = NonNullable<ParseArgsConfig['options']>;

/** The flags of the command line. @throws Error with the usage where one is wrong */
export const readFlags = (options: Options, usage: string) => parse(options, usage, false).values;

/** The words and flags of the command line, of a command that does several things. @throws Error with the usage where a flag is wrong */
export function readWords<Names extends string>(options: Record<Names, { type: 'string' }>, usage: string) {
  const { positionals, values } = parse(options, usage, true);
  return { words: positionals, flags: values as Partial<Record<Names, string>> };
}

function parse(options: Options, usage: string, allowPositionals: boolean) {
  try {
    return parseArgs({ args: process.argv.slice(2), options, strict: true, allowPositionals });
  } catch (error) {
    throw new Error(`${(error as Error).message.split('. To', 1)[0]}.\n${usage}`);
  }
}

/** Of Prisma and of PostgreSQL. */
const NO_TABLE = new Set(['P2021', '42P01']);
const MIGRATE_FIRST =
  'The database lacks tables of this release. Apply its migrations first: npm run migrate (in the image: migrate).';

/** Runs a command that does one thing and ends: its lines on stdout, a failure in one message, and its code. */
export async function runCommand(work: (say: (line: string) => void) => Promise<number>): Promise<never> {
  try {
    process.exit(await work((line) => process.stdout.write(`${line}\n`)));
  } catch (error) {
    const { code } = (error ?? {}) as { code?: string };
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${NO_TABLE.has(code ?? '') ? MIGRATE_FIRST : withoutCredentials(why)}\n`);
    process.exit(1);
  }
}
