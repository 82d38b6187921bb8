import type { Command } from 'commander';

/** What can follow the words so far. @param words those before the one that is being written, without `mlops` */
export function completeWords(program: Command, words: readonly string[]): string[] {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next) command = next;
  }
  const last = words.at(-1);
  const option =
    last === undefined ? undefined : command.options.find((one) => one.long === last || one.short === last);
  if (option?.argChoices) return [...option.argChoices];
  if (option && !option.isBoolean()) return [];
  const subcommands = command.commands.map((one) => one.name()).filter((name) => !name.startsWith('__'));
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const options = command.options.map((one) => one.long ?? '').filter((long) => long !== '' && !words.includes(long));
  return [...subcommands, ...choices, ...options, '--help'];
}

const SCRIPTS = {
  bash: `# mlops: eval "$(mlops completion bash)"
_mlops() {
  local words
  words=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _mlops mlops
`,
  zsh: `#compdef mlops
# mlops: eval "$(mlops completion zsh)"
_mlops() {
  local -a found
  found=("\${(@f)$(\${words[1]} __complete -- "\${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
  compadd -a found || _files
}
compdef _mlops mlops
`,
  fish: `# mlops: mlops completion fish | source
complete -c mlops -f -a '(mlops __complete -- (commandline -opc)[2..-1] 2>/dev/null)'
complete -c mlops -F -n '__fish_seen_subcommand_from predict ingest'
`,
} as const;
type Shell = keyof typeof SCRIPTS;

/** `mlops completion <shell>`, and what its script asks. */
export function addCompletionCommands(program: Command): void {
  program
    .command('completion')
    .summary('a script that completes commands and flags in your shell')
    .addArgument(program.createArgument('<shell>', 'your shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', '\nExamples:\n  $ eval "$(mlops completion bash)"\n  $ mlops completion fish | source')
    .action((shell: Shell) => void process.stdout.write(SCRIPTS[shell]));
  program
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action((words: string[] = []) => {
      process.stdout.write(`${completeWords(program, words).join('\n')}\n`);
    });
}
