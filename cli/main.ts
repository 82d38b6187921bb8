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
  const told = error instanceof ServiceProblem ? commandErrorOf(error) : error;
  if (!(told instanceof CommandError)) {
    process.stderr.write(
      `${told instanceof Error ? (told.stack ?? told.message) : String(told)}\nThis is a mistake in the command line itself: please report it with these lines.\n`,
    );
    return EXIT.failed;
  }
  process.stderr.write(isJson ? `${JSON.stringify(problemOf(told))}\n` : `${linesOf(told).join('\n')}\n`);
  return told.exitCode;
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
