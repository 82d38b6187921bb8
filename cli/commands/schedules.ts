import type { Command } from 'commander';
import { addCommand, addGroup } from '../command-run.js';
import { readJsonObject } from '../read-input.js';
import { renderTable } from '../terminal.js';

const ORDERS = {
  pause: 'start no further run',
  resume: 'let a paused schedule go on',
  trigger: 'start a run now, whatever the clock says',
} as const;

interface SetOptions {
  cron: string;
  timezone?: string;
  training?: string;
}

/** `schedules`: retraining by the clock. */
export function addScheduleCommands(program: Command): void {
  const group = addGroup(program, 'schedules', 'retraining by the clock: list, set, pause, resume, trigger, remove');
  addCommand(group, 'list', {
    summary: 'all schedules with their next run',
    examples: ['mlops schedules list'],
    async act({ connection, terminal }) {
      const page = await connection.client.get('/schedules');
      terminal.print(
        renderTable(
          ['MODEL', 'CRON', 'TIME ZONE', 'PAUSED', 'NEXT RUN'],
          page.items.map((one) => [one.model, one.cron, one.timezone, one.paused, one.next_runs[0]]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand<SetOptions>(group, 'set <model>', {
    summary: 'retrain a model by five cron fields',
    examples: [
      "mlops schedules set project_outcome --cron '0 3 * * 1' --timezone Europe/Berlin",
      `mlops schedules set project_outcome --cron '0 3 * * *' --training '{"auto_deploy": true}'`,
    ],
    options: (command) =>
      command
        .requiredOption('--cron <fields>', 'minute, hour, day of the month, month, day of the week')
        .option('--timezone <name>', 'the IANA time zone of the fields; UTC by default')
        .option('--training <json>', 'what POST /models/train takes besides, or @file.json'),
    async act({ connection, terminal, options, args }) {
      const schedule = await connection.client.put('/schedules/{model}', {
        path: { model: args[0]! },
        body: {
          cron: options.cron,
          ...(options.timezone === undefined ? {} : { timezone: options.timezone }),
          ...(options.training === undefined ? {} : { training: await readJsonObject(options.training, '--training') }),
        },
      } as never);
      terminal.print(
        `${schedule.model} is trained by "${schedule.cron}" (${schedule.timezone}), next ${schedule.next_runs[0] ?? 'never'}.`,
      );
      terminal.printJson(schedule);
    },
  });
  for (const [order, summary] of Object.entries(ORDERS))
    addCommand(group, `${order} <model>`, {
      summary,
      examples: [`mlops schedules ${order} project_outcome`],
      async act({ connection, terminal, args }) {
        const answer: unknown = await connection.client.post(`/schedules/{model}/${order as keyof typeof ORDERS}`, {
          path: { model: args[0]! },
          ...(order === 'trigger' ? {} : { body: {} }),
        } as never);
        terminal.print(`The schedule of ${args[0]!} was told to ${order}.`);
        terminal.printJson(answer ?? {});
      },
    });
  addCommand(group, 'remove <model>', {
    summary: 'train by the clock no longer',
    examples: ['mlops schedules remove project_outcome'],
    async act({ connection, terminal, args }) {
      const answer: unknown = await connection.client.delete('/schedules/{model}', { path: { model: args[0]! } });
      terminal.print(`${args[0]!} is no longer trained by the clock.`);
      terminal.printJson(answer ?? { model: args[0]! });
    },
  });
}
