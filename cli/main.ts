import { CommanderError } from 'commander';
import { ServiceProblem } from '../clients/typescript/client.js';
import { outcomeOf } from './command-run.js';
import { commandErrorOf, ExplainedEnough } from './connection.js';
import { CommandError, EXIT, type ExitCode } from './exit-codes.js';
import { createProgram } from './program.js';

/** Runs one command line. @param argv without node and the script @returns the exit code */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  process.once('SIGINT', () => {
    process.stderr.write('\nStopped watching. Jobs and rollouts that were started go on: `mlops jobs` lists them.\n');
    process.exit(EXIT.interrupted);
  });
  // The reader of a pipe may have enough: `mlops jobs | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  const program = createProgram();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return outcomeOf(program).exitCode ?? EXIT.ok;
  } catch (error) {
    return endWith(error, argv.includes('--json'));
  }
}

function endWith(error: unknown, isJson: boolean): ExitCode {
  if (error instanceof ExplainedEnough) return EXIT.ok;
  // Commander has written its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const told = error instanceof ServiceProblem ? commandErrorOf(error) : (fileErrorOf(error) ?? error);
  if (!(told instanceof CommandError)) {
    process.stderr.write(
      `${told instanceof Error ? (told.stack ?? told.message) : String(told)}\nThis is a mistake in the command line itself: please report it with these lines.\n`,
    );
    return EXIT.failed;
  }
  process.stderr.write(isJson ? `${JSON.stringify(problemOf(told))}\n` : `${linesOf(told).join('\n')}\n`);
  return told.exitCode;
}

const FILE_FAILURES: Record<string, string> = {
  EACCES: 'this user may not read or write it',
  EPERM: 'this user may not read or write it',
  EISDIR: 'it is a folder; name a file',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is no folder',
  ENOSPC: 'the disk is full; free some space',
  EROFS: 'the file system can only be read',
};

/** A file that the command line names and the system refuses; undefined for anything else. */
export function fileErrorOf(error: unknown): CommandError | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const said = FILE_FAILURES[code ?? ''];
  if (!(error instanceof Error) || syscall === undefined || said === undefined) return undefined;
  return new CommandError(EXIT.usage, 'file_unusable', `${path ?? 'A file'} cannot be used: ${said}.`);
}

const problemOf = ({ code, message, hint, problems, correlationId, exitCode }: CommandError) => ({
  error: {
    code,
    message,
    hint: hint ?? null,
    errors: problems,
    correlation_id: correlationId ?? null,
    exit_code: exitCode,
  },
});

function linesOf({ message, hint, problems, correlationId }: CommandError): string[] {
  return [
    `error: ${message}`,
    ...problems.map(({ path, message: said }) => `  ${path}: ${said}`),
    ...(hint === undefined ? [] : [hint]),
    ...(correlationId === undefined ? [] : [`(correlation id ${correlationId})`]),
  ];
}
