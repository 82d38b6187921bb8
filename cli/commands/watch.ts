import type { Command } from 'commander';
import { addCommand, addGroup, type CommandRun } from '../command-run.js';
import { getIfKnown } from '../connection.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { renderTable } from '../terminal.js';

interface WindowOptions {
  model?: string;
  from?: string;
  to?: string;
  version?: string;
  limit: string;
}

const windowOptions = (command: Command) =>
  command
    .option('--model <model>', 'only of this model')
    .option('--from <time>', 'from this date or time on')
    .option('--to <time>', 'before this date or time')
    .option('--limit <n>', 'at most so many', '50');

const windowOf = ({ model, from, to, limit }: WindowOptions) => ({
  model_type: model,
  start_date: from,
  end_date: to,
  limit,
});

/** Rows of an answer whose columns are not known here: those that hold one value each. */
function printRows(run: CommandRun<WindowOptions>, answer: unknown): Record<string, unknown>[] {
  const items = ((answer as { items?: Record<string, unknown>[] }).items ?? []) as Record<string, unknown>[];
  const names = Object.keys(items[0] ?? {}).filter((name) =>
    items.some((item) => item[name] === null || typeof item[name] !== 'object'),
  );
  const shown = names.slice(0, 9);
  run.terminal.print(
    items.length === 0
      ? 'Nothing.'
      : renderTable(
          shown.map((name) => name.toUpperCase()),
          items.map((item) => shown.map((name) => item[name])),
        ),
  );
  run.terminal.printJson(answer);
  return items;
}

async function tell(run: CommandRun<WindowOptions>, path: string): Promise<Record<string, unknown>[]> {
  return printRows(run, await getIfKnown(run.connection, path, windowOf(run.options)));
}

/** `drift`, `performance`, `alerts` and `audit`. */
export function addWatchCommands(program: Command): void {
  addCommand<WindowOptions>(program, 'drift', {
    summary: 'how columns and answers have moved; ends with 1 when one has drifted',
    examples: ['mlops drift --model user_behavior --from 2026-01-01'],
    options: windowOptions,
    async act(run): Promise<ExitCode> {
      const items = await tell(run, '/analytics/drift');
      return items.some(({ drifted, state }) => drifted === true || state === 'alarm') ? EXIT.failed : EXIT.ok;
    },
  });
  addCommand<WindowOptions>(program, 'performance', {
    summary: 'how good served models are, by what turned out to be true',
    examples: ['mlops performance --model user_behavior'],
    options: windowOptions,
    act: async (run) => void (await tell(run, '/analytics/model-performance')),
  });
  const alerts = addGroup(program, 'alerts', 'alerts: list, acknowledge');
  addCommand<WindowOptions & { state?: string }>(alerts, 'list', {
    summary: 'alerts, newest first; ends with 1 when one is open',
    examples: ['mlops alerts list', 'mlops alerts list --model user_behavior --json'],
    options: (command) =>
      command.option('--model <model>', 'only of this model').option('--limit <n>', 'at most so many', '50'),
    async act(run) {
      const { model, limit } = run.options;
      const items = printRows(run, await getIfKnown(run.connection, '/alerts', { model, limit }));
      return items.some(({ state }) => state === 'open' || state === 'firing') ? EXIT.failed : EXIT.ok;
    },
  });
  addCommand(alerts, 'acknowledge <alert>', {
    summary: 'say that you have seen an alert',
    examples: ['mlops alerts acknowledge "$ALERT"'],
    async act({ connection, terminal, args }) {
      const answer = await connection.post(`/alerts/${encodeURIComponent(args[0]!)}/acknowledge`);
      terminal.print(`You have acknowledged ${args[0]!}.`);
      terminal.printJson(answer);
    },
  });
  addCommand(addGroup(program, 'audit', 'the audit log: verify'), 'verify', {
    summary: 'check the chain of the audit log from end to end; ends with 1 when it is broken',
    examples: ['mlops audit verify'],
    async act({ connection, terminal }) {
      const chain = (await getIfKnown(connection, '/audit/verify')) as {
        intact: boolean;
        entries: number;
        first_broken?: unknown;
      };
      terminal.print(
        chain.intact
          ? `The audit log is intact: ${chain.entries} entries.`
          : `The audit log is broken at ${JSON.stringify(chain.first_broken)}: an entry was changed or removed there.`,
      );
      terminal.printJson(chain);
      return chain.intact ? EXIT.ok : EXIT.failed;
    },
  });
}
