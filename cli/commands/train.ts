import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { components } from '../../clients/typescript/client.js';
import { addCommand, addGroup } from '../command-run.js';
import type { Connection } from '../connection.js';
import { EXIT, usageError, type ExitCode } from '../exit-codes.js';
import { finishJob } from '../follow-job.js';
import { readJsonObject } from '../read-input.js';
import { formatNumber, formatSeconds, renderBar, renderTable, type Terminal } from '../terminal.js';

interface TrainOptions {
  source?: string;
  hyperparameters?: string;
  trials?: string;
  timeoutSeconds?: string;
  crossValidate?: boolean;
  deploy?: boolean;
  key?: string;
  wait: boolean;
}

/** A whole number of the command line. */
export function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw usageError(`${name} must be a whole number, not "${text}".`);
  return Number(text);
}

async function trainBody(model: string, options: TrainOptions): Promise<Record<string, unknown>> {
  const trials = wholeNumber(options.trials, '--trials');
  const timeout = wholeNumber(options.timeoutSeconds, '--timeout-seconds');
  return {
    model_type: model,
    ...(options.source === undefined ? {} : { training_data: { source: options.source } }),
    ...(options.hyperparameters === undefined
      ? {}
      : { hyperparameters: await readJsonObject(options.hyperparameters, '--hyperparameters') }),
    ...(trials === undefined && timeout === undefined
      ? {}
      : {
          search: {
            ...(trials === undefined ? {} : { trials }),
            ...(timeout === undefined ? {} : { timeout_seconds: timeout }),
          },
        }),
    ...(options.crossValidate ? { cross_validation: true } : {}),
    ...(options.deploy ? { auto_deploy: true } : {}),
  };
}

/** `train` and `sweep`. */
export function addTrainCommands(program: Command): void {
  addCommand<TrainOptions>(program, 'train <model>', {
    summary: 'train a version of a model, with a bar and the time left',
    examples: [
      'mlops train project_outcome --cross-validate',
      `mlops train user_behavior --hyperparameters '{"n_estimators": 50}'`,
      'mlops train project_outcome --trials 30 --no-wait',
    ],
    options: (command) =>
      command
        .option('--source <name>', 'a data type or a dataset id; by default the newest dataset of the model')
        .option('--hyperparameters <json>', 'those of the algorithm, or @file.json')
        .option('--trials <n>', 'search for good hyperparameters first, by so many trials')
        .option('--timeout-seconds <n>', 'end the search after so many seconds')
        .option('--cross-validate', 'also 5-fold estimates over all rows')
        .option('--deploy', 'deploy the version when it beats the answer that needs no model')
        .option('--key <key>', 'an Idempotency-Key: the same key gives the same job again')
        .option('--no-wait', 'do not wait for the end of the job'),
    async act({ connection, terminal, options, args }) {
      const accepted = await connection.client.post('/models/train', {
        body: (await trainBody(args[0]!, options)) as never,
        ...(options.key === undefined ? {} : { idempotencyKey: options.key }),
      });
      return finishJob(connection, terminal, accepted, options.wait);
    },
  });
  addSweepCommands(addGroup(program, 'sweep', 'searches for hyperparameters: list, watch'));
}

type Sweep = components['schemas']['Sweep'];

function addSweepCommands(group: Command): void {
  addCommand<{ model?: string }>(group, 'list', {
    summary: 'sweeps, newest first',
    examples: ['mlops sweep list --model project_outcome'],
    options: (command) => command.option('--model <model>', 'only of this model'),
    async act({ connection, terminal, options }) {
      const page = await connection.client.get('/sweeps', { query: { model: options.model, limit: 20 } });
      terminal.print(
        renderTable(
          ['SWEEP', 'MODEL', 'STATE', 'TRIALS', 'BEST LOSS'],
          page.items.map((one) => [
            one.sweep_id,
            one.model,
            one.state,
            `${endedTrials(one)}/${one.trials}`,
            one.best?.loss,
          ]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand(group, 'watch <sweep>', {
    summary: 'follow a sweep to its end: each trial, and the best so far; a training job names its sweep',
    examples: ['mlops sweep watch train-1a2b3c', 'mlops sweep watch "$SWEEP" --json'],
    act: ({ connection, terminal, args }) => watchSweep(connection, terminal, args[0]!),
  });
}

const LOOK_EVERY_MS = 1000;
const endedTrials = ({ counts: { completed, pruned, failed, stopped } }: Sweep) =>
  completed + pruned + failed + stopped;

/** A sweep by its own id or by that of its job, which is there before the sweep is. */
async function findSweep(connection: Connection, id: string): Promise<string> {
  if (!id.startsWith('train-')) return id;
  for (;;) {
    const { items } = await connection.client.get('/sweeps', { query: { limit: 100 } });
    const found = items.find((sweep) => sweep.job_id === id);
    if (found) return found.sweep_id;
    const { status } = await connection.client.get('/jobs/{job_id}/status', { path: { job_id: id } });
    if (status !== 'queued' && status !== 'running')
      throw usageError(
        `The job ${id} has ${status} without a search.`,
        'Start one with `mlops train <model> --trials 30`.',
      );
    await sleep(LOOK_EVERY_MS);
  }
}

async function watchSweep(connection: Connection, terminal: Terminal, id: string): Promise<ExitCode> {
  const path = { sweep_id: await findSweep(connection, id) };
  const told = new Set<number>();
  for (;;) {
    const sweep = await connection.client.get('/sweeps/{sweep_id}', { path });
    const { items } = await connection.client.get('/sweeps/{sweep_id}/trials', { path, query: { limit: 500 } });
    for (const trial of items.toReversed()) {
      if (trial.state === 'running' || told.has(trial.trial)) continue;
      told.add(trial.trial);
      const loss = trial.loss === null ? (trial.reason ?? '-') : formatNumber(trial.loss);
      terminal.print(
        `trial ${trial.trial}  ${trial.state}  ${loss}${trial.trial === sweep.best?.trial ? '  best so far' : ''}`,
      );
    }
    const best =
      sweep.best?.loss === undefined || sweep.best.loss === null ? '' : `  best ${formatNumber(sweep.best.loss)}`;
    const left = sweep.eta_seconds === null ? '' : `  about ${formatSeconds(sweep.eta_seconds)} left`;
    terminal.move(
      `${renderBar(endedTrials(sweep) / sweep.trials)}  ${sweep.state}${best}${left}`,
      `${sweep.state} ${endedTrials(sweep)}`,
    );
    if (sweep.state !== 'running' && sweep.state !== 'paused') {
      terminal.settle();
      terminal.print(`${sweep.sweep_id}: ${sweep.state}${sweep.reason === null ? '' : `: ${sweep.reason}`}`);
      if (sweep.best)
        terminal.print(
          `  best: trial ${sweep.best.trial}, loss ${formatNumber(sweep.best.loss ?? NaN)}, ${JSON.stringify(sweep.best.configuration)}`,
        );
      terminal.printJson(sweep);
      return sweep.state === 'completed' || sweep.state === 'stopped' ? EXIT.ok : EXIT.failed;
    }
    await sleep(LOOK_EVERY_MS);
  }
}
