import type { Command } from 'commander';
import { addCommand, addLimitOption } from '../command-run.js';
import { EXIT } from '../exit-codes.js';
import { describeMetrics } from '../follow-job.js';
import { cellText, renderTable } from '../terminal.js';

/** `models`, `versions` and `compare`. */
export function addModelCommands(program: Command): void {
  addCommand(program, 'models [model]', {
    summary: 'all models, or one of them with what it serves',
    examples: ['mlops models', 'mlops models user_behavior --json'],
    async act({ connection, terminal, args }) {
      if (args[0] !== undefined) {
        const model = await connection.client.get('/models/{model}', { path: { model: args[0] } });
        for (const [name, value] of Object.entries(model)) terminal.print(`${name}: ${cellText(value)}`);
        terminal.printJson(model);
        return;
      }
      const page = await connection.client.get('/models');
      terminal.print(
        renderTable(
          ['MODEL', 'KIND', 'ALGORITHM', 'SOURCE', 'LATEST', 'SERVING'],
          page.items.map((one) => [
            one.model,
            one.kind,
            one.algorithm,
            one.source,
            one.latest_version,
            one.serving.version,
          ]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand<{ limit: number }>(program, 'versions <model> [version]', {
    summary: 'the versions of a model, newest first, or one of them with its metrics',
    examples: ['mlops versions user_behavior', 'mlops versions user_behavior production'],
    options: (command) => addLimitOption(command),
    async act({ connection, terminal, options, args }) {
      const [model, version] = args as [string, string | undefined];
      if (version !== undefined) {
        const one = await connection.client.get('/models/{model}/versions/{version}', { path: { model, version } });
        terminal.print(
          `${one.model} ${one.version}  ${one.state}  ${one.promotable ? 'promotable' : 'not promotable'}  ${one.aliases.join(' ')}`,
        );
        for (const line of describeMetrics(one.metrics)) terminal.print(line);
        terminal.printJson(one);
        return;
      }
      const page = await connection.client.get('/models/{model}/versions', {
        path: { model },
        query: { limit: options.limit },
      });
      terminal.print(
        renderTable(
          ['VERSION', 'STATE', 'PROMOTABLE', 'ALIASES', 'CREATED'],
          page.items.map((one) => [one.version, one.state, one.promotable, one.aliases.join(' '), one.created_at]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand(program, 'compare <model> <a> <b>', {
    summary: 'two versions on the same rows; ends with 1 when the first is worse than the second',
    examples: ['mlops compare user_behavior candidate production'],
    async act({ connection, terminal, args }) {
      const [model, version, other] = args as [string, string, string];
      const found = await connection.client.get('/models/{model}/versions/{version}/compare/{other}', {
        path: { model, version, other },
      });
      terminal.print(`${found.a.version} against ${found.b.version}: ${found.basis}`);
      terminal.print(
        renderTable(
          ['HEAD', 'METRIC', found.a.version, found.b.version, 'DIFFERENCE', 'VERDICT'],
          found.metrics.map((one) => [one.head, one.metric, one.a?.value, one.b?.value, one.difference, one.verdict]),
        ),
      );
      terminal.print(`${found.paired.verdict}: ${found.paired.reason}`);
      terminal.printJson(found);
      return found.paired.verdict === 'worse' ? EXIT.failed : EXIT.ok;
    },
  });
}
