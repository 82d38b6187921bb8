import type { Command } from 'commander';
import { addCommand, trustOf, type GlobalOptions } from '../command-run.js';
import { connect } from '../connection.js';
import { EXIT, usageError } from '../exit-codes.js';
import { checkedUrl, forgetSession, keepSession, readSession, sessionPath } from '../session-file.js';
import { readAll } from '../read-input.js';
import { renderTable } from '../terminal.js';

interface LoginOptions extends GlobalOptions {
  url?: string;
  token?: string;
  tokenStdin?: boolean;
}

/** `login`, `logout` and `status`: where the service is, who calls, and whether all is well. */
export function addSessionCommands(program: Command): void {
  addCommand<LoginOptions>(program, 'login', {
    summary: 'keep the address of a service, and a token, in a file that only you can read',
    examples: [
      'mlops login --url http://127.0.0.1:8080',
      'mlops login --url https://ml.example.com --token-stdin < token.txt',
    ],
    options: (command) =>
      command
        .option('--token <token>', 'the token; others on this machine can see it in the list of processes')
        .option('--token-stdin', 'read the token from the standard input'),
    async act({ options, terminal }) {
      if (options.token !== undefined && options.tokenStdin)
        throw usageError('Give --token or --token-stdin, not both.');
      const url = checkedUrl(options.url ?? readSession(undefined).url);
      const token = options.tokenStdin ? (await readAll('-')).trim() : options.token;
      if (token === '') throw usageError('The token is empty.', 'Write it to the standard input, without quotes.');
      const session = { url, ...(token === undefined ? {} : { token }) };
      const asked = { url, token, origin: 'flag' as const, ...trustOf(options) };
      // A wrong address or token is told now, not by the next command.
      const { version } = await connect(asked).client.get('/health');
      await connect(asked).client.get('/models');
      const path = keepSession(session);
      terminal.print(`Signed in to ${url} (version ${version}). Kept in ${path}.`);
      terminal.printJson({ url, has_token: token !== undefined, version, path });
    },
  });
  addCommand(program, 'logout', {
    summary: 'forget the address and the token of `mlops login`',
    examples: ['mlops logout'],
    act: async ({ terminal }) => {
      forgetSession();
      terminal.print(`Removed ${sessionPath()}.`);
      terminal.printJson({ path: sessionPath() });
    },
  });
  addCommand(program, 'status', {
    summary: 'is everything well: dependencies, models, and what is under way',
    examples: ['mlops status', 'mlops status --json'],
    async act({ connection, terminal }) {
      const { client, session } = connection;
      const health = await client.get('/health');
      const [models, jobs, deployments] = await Promise.all([
        client.get('/models'),
        client.get('/jobs', { query: { status: 'running', limit: 10 } }).catch(() => ({ items: [] })),
        client.get('/deployments', { query: { limit: 20 } }).catch(() => ({ items: [] })),
      ]);
      const rollouts = deployments.items.filter(({ finished_at: end }) => end === null);
      terminal.print(`${session.url}  version ${health.version}  ${health.status}`);
      for (const [name, { status, affects, error }] of Object.entries(health.dependencies))
        if (status !== 'up') terminal.print(`  ${name} is down: ${error ?? ''} (affects: ${affects})`);
      for (const { state, affects } of health.degraded) terminal.print(`  ${state}: ${affects}`);
      terminal.print('');
      terminal.print(
        renderTable(
          ['MODEL', 'KIND', 'LATEST', 'SERVING'],
          models.items.map((one) => [one.model, one.kind, one.latest_version, one.serving.version]),
        ),
      );
      for (const job of jobs.items)
        terminal.print(`\n${job.type} ${job.job_id} is at ${job.stage}, ${Math.round(job.progress * 100)} %`);
      for (const one of rollouts)
        terminal.print(`\nrollout ${one.deployment_id} of ${one.model} ${one.version} is ${one.state}`);
      terminal.printJson({ url: session.url, health, models: models.items, running_jobs: jobs.items, rollouts });
      return health.status === 'ok' ? EXIT.ok : EXIT.failed;
    },
  });
}
