import type { Command } from 'commander';
import { addCommand, addGroup } from '../command-run.js';
import { finishJob } from '../follow-job.js';
import { renderTable } from '../terminal.js';

/** `features`: the catalogue of views, and what is known of an entity now. */
export function addFeatureCommands(program: Command): void {
  const group = addGroup(program, 'features', 'feature views: list, show, get, materialize');
  addCommand(group, 'list', {
    summary: 'the catalogue of feature views',
    examples: ['mlops features list'],
    async act({ connection, terminal }) {
      const page = await connection.client.get('/features/views');
      terminal.print(
        renderTable(
          ['VIEW', 'VERSION', 'ENTITY', 'FEATURES', 'OWNER', 'CONSUMERS'],
          page.items.map((one) => [
            one.view,
            one.version,
            one.entity,
            one.features.length,
            one.owner,
            one.consumers.length,
          ]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand(group, 'show <view>', {
    summary: 'a view: its features, its versions, and who uses it',
    examples: ['mlops features show user_activity'],
    async act({ connection, terminal, args }) {
      const view = await connection.client.get('/features/views/{view}', { path: { view: args[0]! } });
      terminal.print(`${view.view} version ${view.version} of ${view.owner}: ${view.description ?? ''}`);
      terminal.print(
        renderTable(
          ['FEATURE', 'TYPE', 'ON DEMAND'],
          view.features.map((one) => [one.name, one.type, one.on_demand]),
        ),
      );
      for (const { model, version, state } of view.consumers) terminal.print(`used by ${model} ${version} (${state})`);
      terminal.printJson(view);
    },
  });
  addCommand(group, 'get <view> <entities...>', {
    summary: 'what is known of entities now, and how old it is',
    examples: ['mlops features get user_activity user_1 user_2'],
    async act({ connection, terminal, args }) {
      const [view, ...entities] = args as [string, ...string[]];
      const answer = await connection.client.post('/features/online', { body: { view, entity_ids: entities } });
      for (const one of answer.items) {
        const states = Object.values(one.views).map(
          ({ status, age_seconds: age }) => `${status}${age === null ? '' : `, ${Math.round(age)} s old`}`,
        );
        terminal.print(`${one.entity_id} (${states.join('; ')})`);
        for (const [name, value] of Object.entries(one.features)) terminal.print(`  ${name}: ${String(value)}`);
      }
      terminal.printJson(answer);
    },
  });
  addCommand<{ wait: boolean }>(group, 'materialize <view>', {
    summary: 'fill the online store from a view',
    examples: ['mlops features materialize user_activity'],
    options: (command) => command.option('--no-wait', 'do not wait for the end of the job'),
    async act({ connection, terminal, options, args }) {
      const accepted = await connection.client.post('/features/views/{view}/materialize', {
        path: { view: args[0]! },
        body: {},
      } as never);
      return finishJob(connection, terminal, accepted, options.wait);
    },
  });
}
