import { parseArgs, type ParseArgsConfig } from 'node:util';
import { withoutCredentials } from '../services/telemetry/redact.js';

/** The flags of the command line. @throws Error with the usage where one is wrong */
export function readFlags(options: NonNullable<ParseArgsConfig['options']>, usage: string) {
  try {
    return parseArgs({ args: process.argv.slice(2), options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new Error(`${(error as Error).message.split('. To', 1)[0]}.\n${usage}`);
  }
}

/** Runs a command that does one thing and ends: its lines on stdout, a failure in one message, and its code. */
export async function runCommand(work: (say: (line: string) => void) => Promise<number>): Promise<never> {
  try {
    process.exit(await work((line) => process.stdout.write(`${line}\n`)));
  } catch (error) {
    process.stderr.write(`${withoutCredentials(error instanceof Error ? error.message : String(error))}\n`);
    process.exit(1);
  }
}
