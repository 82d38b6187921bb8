import { parseArgs } from 'node:util';
import type { ProjectWorld } from '../../simulator/project-model.js';
import { ProjectTraffic } from './project-traffic.js';
import { ServiceClient, ServiceCallError, waitFor } from './service-client.js';

const MODEL = 'shifting_projects';
/** So many outcomes are told before the world changes, of the changed one before the drift monitor looks, and of the new version at the end. */
const USUAL_ROWS = 1500;
const CHANGED_ROWS = 700;
const RECOVERED_ROWS = 500;

const HELP = `Changes the world under a model and shows how the service finds out and mends it. Start the service first (npm start).

  npm run demo:drift

  --url <url>          of the service (default http://127.0.0.1:8080)
  --token <token>      where it asks for one; of an operator
  --per-second <n>     projects that are asked about (default 40)
  --minutes <n>        the longest that it may take (default 10)
  --seed <n>           of the projects (default 1)
`;

interface Alert {
  alert_id: string;
  subject: string;
  summary: string;
  status: string;
  opened_at: string;
}
interface Repair {
  repair_id: string;
  alert_id: string | null;
  state: string;
  reason: string | null;
  new_version: string | null;
  created_at: string;
  story: string;
  steps: { step: string; summary: string; detail: { deployment_id?: string; dataset_id?: string } }[];
}
interface Finding {
  subject: string;
  state: string;
  summary: string;
}

interface Demo {
  client: ServiceClient;
  traffic: ProjectTraffic;
  deadlineMs: number;
  say: (line: string) => void;
}

/** Trains the model on the usual world, serves it, and lets alerts begin repairs. */
async function setUp({ client, say }: Demo): Promise<string> {
  say(`Training ${MODEL} on the projects of the usual world`);
  const { version } = await client.run('/models/train', { model_type: MODEL });
  await client.run(`/models/${MODEL}/deploy`, { version });
  await client.call('PUT', `/schedules/${MODEL}`, { cron: '0 3 1 * *', on_drift: true });
  say(`${String(version)} answers; alerts that advise to retrain may begin a repair`);
  return String(version);
}

/** How well a version does in a world, once enough outcomes were told. */
async function measure({ traffic, deadlineMs }: Demo, world: ProjectWorld, version: string, rows: number) {
  const score = await waitFor(
    `${rows} outcomes of ${version}`,
    async () => (traffic.scoreOf(world, version).rows >= rows ? traffic.scoreOf(world, version) : undefined),
    deadlineMs,
  );
  return `${((100 * score.right) / score.rows).toFixed(1)} % of ${score.rows}`;
}

/** The alert that the changed world opens. */
function awaitAlert({ client, deadlineMs }: Demo, since: string): Promise<Alert> {
  return waitFor(
    'an alert',
    async () => {
      const { items } = await client.get<{ items: Alert[] }>(`/alerts?model=${MODEL}&status=open`);
      return items.find(({ subject, opened_at }) => subject.startsWith('stream:loss') && opened_at >= since);
    },
    deadlineMs,
  );
}

/** What the workflow `monitorModel` says of the last hour: the inputs are as before, so that truths alone could tell. */
async function runMonitor(demo: Demo, version: string): Promise<void> {
  const { client, say } = demo;
  await measure(demo, 'shifted', version, CHANGED_ROWS);
  await client.run(`/monitors/${MODEL}/run`, { window_end: new Date().toISOString() });
  const { items } = await client.get<{ items: Finding[] }>(`/monitors/${MODEL}/findings?monitor=drift&limit=100`);
  const newest = new Map(items.toReversed().map((finding) => [finding.subject, finding]));
  const steady = [...newest.values()].filter(({ state }) => state === 'ok').map(({ subject }) => subject);
  say(`  The drift monitor finds as before: ${steady.toSorted().join(', ')}`);
  for (const { state, summary } of newest.values())
    if (state === 'suspect' || state === 'alarm') say(`  The drift monitor, ${state}: ${summary}`);
}

/** Follows the repair to its end, and tells each step as it comes. */
async function followRepair({ client, say, deadlineMs }: Demo, since: string): Promise<Repair> {
  const { repair_id: id } = await waitFor(
    'a repair',
    async () => {
      const { items } = await client.get<{ items: Repair[] }>(`/repairs?model=${MODEL}&limit=1`);
      return items.find(({ created_at }) => created_at >= since);
    },
    deadlineMs,
  );
  let told = 0;
  return waitFor(
    `the end of the repair ${id}`,
    async () => {
      const repair = await client.get<Repair>(`/repairs/${id}`);
      for (const { summary } of repair.steps.slice(told)) say(`  ${summary}`);
      told = repair.steps.length;
      return repair.state === 'running' ? undefined : repair;
    },
    deadlineMs,
  );
}

function tellLinks({ client: { url }, say }: Demo, alert: Alert, { repair_id: id, story, steps }: Repair): void {
  const rollout = steps.find(({ detail }) => detail.deployment_id !== undefined)?.detail.deployment_id;
  say(`The story, ${url}/repairs/${id}:\n\n${story}\n`);
  say(`The alert    ${url}/alerts/${alert.alert_id}`);
  if (rollout !== undefined) say(`The canary   ${url}/deployments/${rollout}`);
  say(`The metrics  ${url}/analytics/model-performance?model_type=${MODEL}&interval=hour`);
  say(`The findings ${url}/monitors/${MODEL}/findings`);
}

/** The whole loop. @returns whether the model was mended */
async function changeTheWorld(demo: Demo): Promise<boolean> {
  const { client, traffic, say, deadlineMs } = demo;
  const former = await setUp(demo);
  traffic.start();
  say(`Right in the usual world: ${await measure(demo, 'usual', former, USUAL_ROWS)}`);
  traffic.world = 'shifted';
  const since = new Date().toISOString();
  say('The world changes: new tools carry what is complex, and the model does not know');
  const alert = await awaitAlert(demo, since);
  say(`Alert ${alert.alert_id}: ${alert.summary}`);
  await runMonitor(demo, former);
  const repair = await followRepair(demo, since);
  const broken = await measure(demo, 'shifted', former, 1);
  if (repair.state !== 'repaired' || repair.new_version === null) {
    tellLinks(demo, alert, repair);
    return false;
  }
  const mended = await measure(demo, 'shifted', repair.new_version, RECOVERED_ROWS);
  say(`Right in the changed world: ${broken} with ${former}, ${mended} with ${repair.new_version}`);
  await waitFor(
    'the end of the alert',
    async () => ((await client.get<Alert>(`/alerts/${alert.alert_id}`)).status === 'resolved' ? true : undefined),
    deadlineMs,
  );
  say(`The alert is resolved`);
  tellLinks(demo, alert, repair);
  return true;
}

/** Runs the command line; answers with the exit code: 0 where the model was mended. */
async function main(argv: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const options = { url: text, token: text, 'per-second': text, minutes: text, seed: text };
  try {
    const { values } = parseArgs({ args: [...argv], options: { ...options, help: { type: 'boolean' } } });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const number = (name: 'per-second' | 'minutes' | 'seed', most: number, otherwise: number) => {
      const value = Number(values[name] ?? otherwise);
      if (value > 0 && value <= most) return value;
      throw new ServiceCallError(`--${name} is a number above 0, ${most} at most, not "${values[name]}".`);
    };
    const client = new ServiceClient((values.url ?? 'http://127.0.0.1:8080').replace(/\/$/, ''), values.token);
    const startedAt = Date.now();
    const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(0)} s`.padStart(6);
    const traffic = new ProjectTraffic(client, MODEL, {
      seed: number('seed', 1e9, 1),
      perSecond: number('per-second', 1000, 40),
    });
    const say = (line: string) => process.stdout.write(`${seconds()}  ${line}\n`);
    const deadlineMs = startedAt + number('minutes', 120, 10) * 60_000;
    try {
      return (await changeTheWorld({ client, traffic, deadlineMs, say })) ? 0 : 1;
    } finally {
      await traffic.stop();
      // Without it nothing is trained anew for a model that nobody calls any more.
      await client.call('DELETE', `/schedules/${MODEL}`).catch(() => undefined);
    }
  } catch (error) {
    process.stderr.write(`demo:drift: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
