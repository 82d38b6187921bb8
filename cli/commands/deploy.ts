import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { components } from '../../clients/typescript/client.js';
import { addCommand, addGroup } from '../command-run.js';
import type { Connection } from '../connection.js';
import { CommandError, EXIT, usageError, type ExitCode } from '../exit-codes.js';
import { finishJob } from '../follow-job.js';
import { formatSeconds, renderBar, renderTable, type Terminal } from '../terminal.js';
import { wholeNumber } from './train.js';

type Rollout = components['schemas']['DeploymentDetail'];

interface DeployOptions {
  strategy?: string;
  steps?: string;
  stepSeconds?: string;
  minSamples?: string;
  approval?: boolean;
  allowUnpromotable?: boolean;
  note?: string;
  wait: boolean;
}

/** `deploy`, `rollback` and `rollouts`. */
export function addDeployCommands(program: Command): void {
  addCommand<DeployOptions>(program, 'deploy <model> [version]', {
    summary: 'roll a version out, the latest by default, with the ladder of its traffic and every verdict',
    examples: [
      'mlops deploy project_outcome',
      'mlops deploy project_outcome v1.2.0 --strategy canary --steps 5,25,100 --step-seconds 600',
      'mlops deploy project_outcome candidate --strategy shadow --no-wait',
    ],
    options: (command) =>
      command
        .option('--strategy <strategy>', 'immediate, canary or shadow')
        .option('--steps <list>', 'canary: percentages of the traffic, such as 1,5,25,100')
        .option('--step-seconds <n>', 'canary: the shortest time of a step')
        .option('--min-samples <n>', 'canary: requests that each cohort must have sent before a step counts')
        .option('--approval', 'canary: a person must agree before the version gets all traffic')
        .option('--allow-unpromotable', 'deploy although the version has shown no skill beyond chance')
        .option('--no-wait', 'do not wait for the end of the rollout'),
    async act({ connection, terminal, options, args }) {
      const model = args[0]!;
      const body = deployBody(args[1] ?? (await latestVersion(connection, model)), options);
      const accepted = await connection.client.post('/models/{model}/deploy', { path: { model }, body: body as never });
      if (!options.wait) return finishJob(connection, terminal, accepted, false);
      return watchRollout(connection, terminal, accepted.deployment_id);
    },
  });
  addCommand<{ reason?: string }>(program, 'rollback <model>', {
    summary: 'give the traffic back to the version before, at once',
    examples: ['mlops rollback project_outcome'],
    async act({ connection, terminal, args }) {
      const done = await connection.client.post('/models/{model}/rollback', { path: { model: args[0]! } } as never);
      terminal.print(`${done.model} is served by ${done.version} again, not by ${done.rolled_back_version}.`);
      if (!done.served) terminal.print('  Not every process has loaded it yet; `mlops status` tells when it has.');
      terminal.printJson(done);
      return done.served ? EXIT.ok : EXIT.failed;
    },
  });
  addRolloutCommands(addGroup(program, 'rollouts', 'rollouts: list, watch, pause, resume, approve, promote, abort'));
}

async function latestVersion(connection: Connection, model: string): Promise<string> {
  if (connection.isExplaining) return '<version>';
  const { latest_version: latest } = await connection.client.get('/models/{model}', { path: { model } });
  if (latest === null)
    throw new CommandError(
      EXIT.refused,
      'version_not_found',
      `${model} has no version yet.`,
      `Train one: \`mlops train ${model}\`.`,
    );
  return latest;
}

function deployBody(version: string, options: DeployOptions): Record<string, unknown> {
  const steps = options.steps?.split(',').map(Number);
  if (steps?.some((step) => !Number.isFinite(step)))
    throw usageError(`--steps must be percentages such as 1,5,25,100, not "${options.steps}".`);
  const canary = {
    ...(steps === undefined ? {} : { steps }),
    ...(options.stepSeconds === undefined ? {} : { step_seconds: wholeNumber(options.stepSeconds, '--step-seconds') }),
    ...(options.minSamples === undefined ? {} : { min_samples: wholeNumber(options.minSamples, '--min-samples') }),
    ...(options.approval ? { approval: true } : {}),
  };
  const isCanary = options.strategy === 'canary';
  if (!isCanary && Object.keys(canary).length > 0)
    throw usageError('--steps, --step-seconds, --min-samples and --approval belong to --strategy canary.');
  return {
    version,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(isCanary && Object.keys(canary).length > 0 ? { canary } : {}),
    ...(options.allowUnpromotable ? { allow_unpromotable: true } : {}),
  };
}

const LOOK_EVERY_MS = 500;
const ENDED: readonly string[] = ['promoted', 'rolled_back', 'aborted', 'failed'];

/** `1 > 5 > [25] > 100 %`: the ladder with the step that the traffic is at. */
export function renderLadder({
  settings,
  traffic,
  strategy,
  state,
}: Pick<Rollout, 'settings' | 'traffic' | 'strategy' | 'state'>): string {
  const steps = (settings as { steps?: number[] }).steps ?? [];
  if (strategy !== 'canary' || steps.length === 0) return strategy;
  const share = state === 'promoted' ? 100 : traffic?.share;
  return `${steps.map((step) => (step === share ? `[${step}]` : String(step))).join(' > ')} %`;
}

/** What is new of a rollout since it was last looked at, in lines for people. */
export function tellRollout(rollout: Rollout, before: Rollout | undefined): string[] {
  const lines: string[] = [];
  const ladder = renderLadder(rollout);
  if (rollout.state !== before?.state || (before && ladder !== renderLadder(before)))
    lines.push(`${rollout.model} ${rollout.version}  ${rollout.state}  ${ladder}`);
  const window = rollout.latest_evidence;
  const said = window && `  ${window.verdict}: ${window.reason}`;
  const former = before?.latest_evidence;
  if (said && said !== (former && `  ${former.verdict}: ${former.reason}`)) lines.push(said);
  if (rollout.state === 'holding' && before?.state !== 'holding')
    lines.push(`  A person must decide: \`mlops rollouts approve|promote|abort ${rollout.deployment_id}\`.`);
  return lines;
}

/**
 * `█████░░░  40 %  step 2 of 5 (10 % of the traffic)  about 3 min 20 s until it can be judged: 990 requests more`, for the
 * line that moves. How long the whole takes nobody knows: the traffic decides.
 */
export function ladderProgress({
  settings,
  traffic,
  latest_evidence: evidence,
}: Pick<Rollout, 'settings' | 'traffic' | 'latest_evidence'>): string | undefined {
  const steps = (settings as { steps?: number[] }).steps ?? [];
  const at = steps.indexOf(traffic?.share ?? -1);
  if (at < 0) return undefined;
  const { requests = 0, seconds = null } = (evidence?.needed ?? {}) as { requests?: number; seconds?: number | null };
  const left = [
    ...(seconds === null ? [] : [`about ${formatSeconds(seconds)} until it can be judged`]),
    ...(requests > 0 ? [`${Math.ceil(requests)} requests more`] : []),
  ].join(': ');
  const step = `step ${at + 1} of ${steps.length} (${steps[at]} % of the traffic)`;
  return [renderBar(at / steps.length), step, ...(left === '' ? [] : [left])].join('  ');
}

/** Shows a rollout until it has ended. Promoted is well, every other end is not. */
async function watchRollout(connection: Connection, terminal: Terminal, id: string): Promise<ExitCode> {
  let before: Rollout | undefined;
  for (;;) {
    const rollout = await connection.client.get('/deployments/{deployment_id}', { path: { deployment_id: id } });
    for (const line of tellRollout(rollout, before)) terminal.isJson ? terminal.remark(line) : terminal.print(line);
    if (ENDED.includes(rollout.state)) {
      terminal.settle();
      if (rollout.reason !== null) terminal.print(`  ${rollout.reason}`);
      terminal.printJson(rollout);
      return rollout.state === 'promoted' ? EXIT.ok : EXIT.failed;
    }
    const progress = ladderProgress(rollout);
    // A log has had what is new of it above.
    if (progress !== undefined && process.stderr.isTTY) terminal.move(progress, progress);
    before = rollout;
    await sleep(LOOK_EVERY_MS);
  }
}

const ORDERS = {
  pause: 'hold a rollout at its step; harm still ends it',
  resume: 'let a paused rollout go on',
  approve: 'agree that the version gets all traffic once the evidence allows it',
  promote: 'give the version all traffic now, whatever the evidence says as yet',
  abort: 'end a rollout; the present version has all traffic again',
} as const;

function addRolloutCommands(group: Command): void {
  addCommand(group, 'list', {
    summary: 'rollouts, newest first',
    examples: ['mlops rollouts list'],
    async act({ connection, terminal }) {
      const page = await connection.client.get('/deployments', { query: { limit: 20 } });
      terminal.print(
        renderTable(
          ['ROLLOUT', 'MODEL', 'VERSION', 'STRATEGY', 'STATE', 'CREATED'],
          page.items.map((one) => [one.deployment_id, one.model, one.version, one.strategy, one.state, one.created_at]),
        ),
      );
      terminal.printJson(page);
    },
  });
  addCommand(group, 'watch <rollout>', {
    summary: 'follow a rollout to its end',
    examples: ['mlops rollouts watch "$ROLLOUT"'],
    act: ({ connection, terminal, args }) => watchRollout(connection, terminal, args[0]!),
  });
  for (const [order, summary] of Object.entries(ORDERS))
    addCommand<{ note?: string }>(group, `${order} <rollout>`, {
      summary,
      examples: [`mlops rollouts ${order} "$ROLLOUT" --note 'the campaign is over'`],
      options: (command) => command.option('--note <text>', 'why; it is kept with the rollout'),
      async act({ connection, terminal, options, args }) {
        const rollout = await connection.client.post(`/deployments/{deployment_id}/${order as keyof typeof ORDERS}`, {
          path: { deployment_id: args[0]! },
          body: options.note === undefined ? {} : { note: options.note },
        } as never);
        terminal.print(
          `${rollout.deployment_id} is ${rollout.state}. \`mlops rollouts watch ${rollout.deployment_id}\` follows it.`,
        );
        terminal.printJson(rollout);
      },
    });
}
