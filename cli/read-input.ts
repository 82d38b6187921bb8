import { accessSync, constants, createReadStream, existsSync, statSync } from 'node:fs';
import { EXIT, CommandError } from './exit-codes.js';

/** A file, or the standard input for `-`. @throws CommandError where there is no such file */
export function openInput(path: string): NodeJS.ReadableStream {
  if (path === '-') return process.stdin;
  if (!existsSync(path))
    throw new CommandError(
      EXIT.usage,
      'file_missing',
      `There is no file ${path}.`,
      'Give a file, or - for the standard input.',
    );
  // What may not be read is said now, and not in the middle of something.
  accessSync(path, constants.R_OK);
  if (statSync(path).isDirectory())
    throw new CommandError(EXIT.usage, 'file_unusable', `${path} is a folder.`, 'Name a file in it.');
  return createReadStream(path);
}

/** All of a small input, as text. */
export async function readAll(path: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of openInput(path)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * A JSON object as it was written on the command line, or in the file after `@`.
 * @param name of the option, for the message
 */
export async function readJsonObject(text: string, name: string): Promise<Record<string, unknown>> {
  const json = text.startsWith('@') ? await readAll(text.slice(1)) : text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new CommandError(
      EXIT.usage,
      'json_malformed',
      `${name} is no JSON: ${(error as Error).message}.`,
      `Quote it for the shell, as in ${name} '{"n_estimators": 50}', or name a file by ${name} @file.json.`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CommandError(EXIT.usage, 'json_malformed', `${name} must be a JSON object.`);
  return value as Record<string, unknown>;
}
