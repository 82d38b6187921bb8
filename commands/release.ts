import { loadConfig } from '../services/config.js';
import { createTemporalClient } from '../services/pipelines/temporal-client.js';
import { describeRelease, makeCurrent, rampTo, type ReleaseContext } from '../services/pipelines/worker-release.js';
import { readWords, runCommand } from './run-command.js';

const USAGE = `Usage: npm run release -- show
       npm run release -- current BUILD [--wait SECONDS]
       npm run release -- ramp BUILD --percent PERCENT [--wait SECONDS]
       npm run release -- off

Says which build of the workers (WORKER_BUILD_ID) gets new workflows. Those under way stay with the build that they were started on.
  show     all builds, who gets what, and whether a former build may be stopped (drained); code 1 where no build is current
  current  gives BUILD all new workflows, once its workers are there
  ramp     gives BUILD a share of them; 0 takes it away
  off      gives them to workers without a build id again
  --wait   seconds to wait for the workers of BUILD; 60 without it`;

const FLAGS = { wait: { type: 'string' }, percent: { type: 'string' } } as const;
const WAIT_SECONDS = 60;

/** @throws Error with the usage where it is none, or out of range */
function numberOf(name: string, value: string | undefined, most: number): number {
  const number = Number(value);
  if (value === undefined || value === '' || !(number >= 0 && number <= most))
    throw new Error(`--${name} must be a number from 0 to ${most}.\n${USAGE}`);
  return number;
}

async function run(words: string[], flags: { wait?: string; percent?: string }, context: ReleaseContext) {
  const [command, build = '', ...more] = words;
  const waitMs = numberOf('wait', flags.wait ?? String(WAIT_SECONDS), 86_400) * 1000;
  const isComplete = (command === 'current' || command === 'ramp') === (build !== '') && more.length === 0;
  if (!isComplete || (command === 'ramp') !== (flags.percent !== undefined)) throw new Error(USAGE);
  if (command === 'current') await makeCurrent(build, waitMs, context);
  else if (command === 'ramp') await rampTo(build, numberOf('percent', flags.percent, 100), waitMs, context);
  else if (command === 'off') await makeCurrent(null, 0, context);
  else if (command !== 'show') throw new Error(USAGE);
  return command;
}

await runCommand(async (say) => {
  const { words, flags } = readWords(FLAGS, USAGE);
  const { temporal: settings, workerDeploymentName: deploymentName } = loadConfig();
  const temporal = createTemporalClient(settings);
  try {
    const context = { temporal, namespace: settings.namespace, deploymentName };
    const command = await run(words, flags, context);
    const state = await describeRelease(context);
    say(JSON.stringify(state, undefined, 2));
    return command === 'show' && state.current === null ? 1 : 0;
  } finally {
    await temporal.connection.close();
  }
});
