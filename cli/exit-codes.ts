/** What a command ends with. Scripts rely on these; docs/guide/command-line.md lists them. */
export const EXIT = {
  ok: 0,
  /** The job failed, the verdict is no, some rows could not be answered, or doctor found something. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** No answer: nothing listens there, or a dependency of the service is away. */
  unreachable: 3,
  /** The service understood and said no. */
  refused: 4,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure that a person is told about in full: what was wrong, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly exitCode: ExitCode,
    /** Stable, for programs: a code of the service, or one of the command line's own. */
    readonly code: string,
    message: string,
    /** What to do about it. */
    readonly hint?: string,
    readonly problems: readonly { path: string; message: string }[] = [],
    readonly correlationId?: string,
  ) {
    super(message);
  }
}

export const usageError = (message: string, hint?: string) =>
  new CommandError(EXIT.usage, 'usage', message, hint ?? '`mlops help` lists the commands.');
