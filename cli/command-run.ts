import { InvalidArgumentError, Option, type Command } from 'commander';
import { connect, type Connection } from './connection.js';
import type { ExitCode } from './exit-codes.js';
import { readSession } from './session-file.js';
import { createTerminal, type Terminal } from './terminal.js';

/** The longest page that the service gives. */
const MOST_LISTED = 500;

/** The options of every command. */
export interface GlobalOptions {
  url?: string;
  json?: boolean;
  explain?: boolean;
  ca?: string;
  clientCert?: string;
  clientKey?: string;
}

/** The files of TLS that a command line names. */
export const trustOf = ({ ca, clientCert: cert, clientKey: key }: GlobalOptions) => ({ trust: { ca, cert, key } });

/** What a command works with. */
export interface CommandRun<Options> {
  terminal: Terminal;
  options: Options;
  args: string[];
  /** Made on first use: some commands need no service. */
  connection: Connection;
}

export type Act<Options> = (run: CommandRun<Options>) => Promise<ExitCode | void>;

/** What is told to main() by the command that ran. */
export interface Outcome {
  exitCode: ExitCode | undefined;
}

export interface CommandSpec<Options> {
  summary: string;
  /** Lines of examples, each a command that works as it stands. */
  examples: readonly string[];
  options?: (command: Command) => void;
  act: Act<Options>;
}

const examplesText = (examples: readonly string[]) =>
  `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`;

/** The first example of each command of a group, for the help of the group. */
const groupExamples = new WeakMap<Command, string[]>();

/** Adds a command with the options that all have, and its examples to its help. @param usage such as `train <model>` */
export function addCommand<Options = object>(
  parent: Command,
  usage: string,
  { summary, examples, options, act }: CommandSpec<Options>,
): Command {
  const command = parent.command(usage).summary(summary).description(summary);
  options?.(command);
  addGlobalOptions(command);
  command.addHelpText('after', examplesText(examples));
  groupExamples.get(parent)?.push(examples[0]!);
  return command.action(async (...given: unknown[]) => {
    const all = command.optsWithGlobals<GlobalOptions & Options>();
    const terminal = createTerminal(all.json === true);
    const args = given
      .slice(0, -2)
      .flat()
      .filter((one) => one !== undefined) as string[];
    let connection: Connection | undefined;
    const run: CommandRun<Options> = {
      terminal,
      options: all,
      args,
      get connection() {
        return (connection ??= connect(
          { ...readSession(all.url), ...trustOf(all) },
          all.explain ? explainTo(terminal) : undefined,
        ));
      },
    };
    outcomeOf(command).exitCode = (await act(run)) ?? undefined;
  });
}

/** Writes each explained call: for people as lines that a shell runs, for programs as one object a line. */
function explainTo(terminal: Terminal): Parameters<typeof connect>[1] {
  return (request) => {
    terminal.print(`# HTTP\n${request.curl}`);
    if (request.temporal) terminal.print(`# or, by Temporal itself\n${request.temporal}`);
    if (request.tctl) terminal.print(`# or, by its former command line\n${request.tctl}`);
    terminal.printJson(request);
  };
}

export function addGlobalOptions(command: Command): void {
  command
    .addOption(new Option('--url <url>', 'address of the service; before MLOPS_URL and the address of `mlops login`'))
    .addOption(new Option('--ca <file>', 'authority of the certificate of the service, in PEM').env('MLOPS_CA'))
    .addOption(new Option('--client-cert <file>', 'certificate of the caller, in PEM').env('MLOPS_CLIENT_CERT'))
    .addOption(new Option('--client-key <file>', 'its key').env('MLOPS_CLIENT_KEY'))
    .addOption(new Option('--json', 'write the answer as JSON'))
    .addOption(new Option('--explain', 'print the equal curl, temporal and tctl commands instead of acting'));
}

const outcomes = new WeakMap<Command, Outcome>();

/** What the command that ran has come to; kept with the outermost command. */
export function outcomeOf(command: Command): Outcome {
  let root = command;
  while (root.parent) root = root.parent;
  let outcome = outcomes.get(root);
  if (!outcome) outcomes.set(root, (outcome = { exitCode: undefined }));
  return outcome;
}

/** `--limit`: how many of a list. */
export function addLimitOption(command: Command, summary = 'at most so many', usual = 20): Command {
  const option = new Option('--limit <n>', `${summary}, 1 to ${MOST_LISTED}`).default(usual);
  return command.addOption(
    option.argParser((text) => {
      const limit = /^\d+$/.test(text) ? Number(text) : 0;
      if (limit >= 1 && limit <= MOST_LISTED) return limit;
      throw new InvalidArgumentError(`It is a whole number from 1 to ${MOST_LISTED}.`);
    }),
  );
}

/** A group of commands, such as `jobs`: without a subcommand it tells its help. */
export function addGroup(parent: Command, name: string, summary: string): Command {
  const examples: string[] = [];
  const group = parent.command(name).summary(summary).description(summary);
  groupExamples.set(group, examples);
  return group.addHelpText('after', () => examplesText(examples));
}
