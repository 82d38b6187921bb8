import { setTimeout as sleep } from 'node:timers/promises';
import type { Prng } from '../../ml/random/prng.js';
import { callService, type Job } from './call-service.js';
import { ChaosLoad } from './chaos-load.js';
import type { ChaosStack } from './chaos-stack.js';
import {
  findContradictions,
  findLeftFiles,
  findLost,
  findSecrets,
  findStrays,
  lossesTold,
} from './check-invariants.js';
import type { Fault } from './faults.js';

export interface FaultResult {
  kind: string;
  part: string;
  how: string;
  /** Set when it was not made. */
  notRun?: string;
  predictions: number;
  failedPredictions: number;
  /** Acknowledged predictions that the service has told of as lost. */
  toldLost: number;
  outcomes: number;
  events: number;
  /** How the jobs ended, by their kind. */
  jobs: string;
  /** From the end of the fault until every part is as it should be again. */
  readySeconds: number;
  /** What broke, one sentence each. */
  problems: string[];
}

const NOTHING = {
  how: '',
  predictions: 0,
  failedPredictions: 0,
  toldLost: 0,
  outcomes: 0,
  events: 0,
  jobs: '',
  readySeconds: 0,
  problems: [],
};
const READY_WITHIN_MS = 60_000;
const JOBS_WITHIN_MS = 180_000;
/** Quick windows, and more requests than are sent: only the harness ends the canary. */
const CANARY = { steps: [50, 100], step_seconds: 1, min_samples: 1_000_000 };

/** Answers with what `/health` complains of, or undefined while there is no answer. */
async function complaintsOf({ url }: ChaosStack): Promise<string[] | undefined> {
  const ready = await callService(url, 'GET', '/health/ready');
  const { status, text } = await callService(url, 'GET', '/health');
  if (ready.status !== 200 || status !== 200) return undefined;
  return (JSON.parse(text) as { degraded: { state: string }[] }).degraded.map(({ state }) => state);
}

/** Waits until the service is ready and complains of nothing new. @returns the seconds, or what it still complains of */
async function waitUntilWell(world: ChaosStack, before: readonly string[]) {
  for (const startMs = Date.now(); ; await sleep(100)) {
    const complaints = (await complaintsOf(world))?.filter((state) => !before.includes(state));
    const seconds = (Date.now() - startMs) / 1000;
    if (complaints?.length === 0) return { seconds };
    if (seconds * 1000 > READY_WITHIN_MS) return { seconds, complaint: complaints?.join(', ') ?? 'it is not ready' };
  }
}

/** An ingestion, a training and a canary of the version that is not served. */
async function startJobs(world: ChaosStack, load: ChaosLoad, name: string): Promise<void> {
  const [route] = await world.query<{ version: string }>('SELECT version FROM routes');
  const version = route?.version === 'v1.0.0' ? 'v1.1.0' : 'v1.0.0';
  const canary = { version, strategy: 'canary', canary: CANARY, allow_unpromotable: true };
  await load.startJob('/data/ingest', { source: 'customers.csv', data_type: 'customers' }, `${name}-ingest`);
  await load.startJob('/models/train', world.training(1), `${name}-train`);
  await load.startJob('/models/customers/deploy', canary, `${name}-deploy`);
}

/** Ends the canary as a person would: by giving it all the traffic, unless it has ended by itself. */
async function promote({ url }: ChaosStack, load: ChaosLoad, key: string): Promise<void> {
  const id = load.acknowledged.jobs.get(key)?.replace('deploy-', 'dep-');
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(200)) {
    const { status } = await callService(url, 'POST', `/deployments/${id}/promote`);
    if (status === 202) return;
    const { text, status: found } = await callService(url, 'GET', `/deployments/${id}`);
    if (found === 200 && (JSON.parse(text) as { state: string }).state !== 'running') return;
  }
  load.problem(`the canary ${id} could not be promoted within ${READY_WITHIN_MS / 1000} s`);
}

/** A full disk or no memory may fail a job, with a code that says so; nothing else may. */
function judgeJobs(jobs: ReadonlyMap<string, Job | undefined>, { kind }: Fault): string[] {
  return [...jobs].flatMap(([key, job]) => {
    if (!job) return [`${key} did not end within ${JOBS_WITHIN_MS / 1000} s`];
    if (job.status === 'completed' || ((kind === 'disk' || kind === 'memory') && job.error?.code !== 'internal'))
      return [];
    return [`${key} ${job.status}: ${job.error?.code} ${job.error?.detail}`];
  });
}

/** Puts load on the service, lets one fault happen in the middle, and holds all that is left to the invariants. */
export async function runFault(
  world: ChaosStack,
  fault: Fault,
  options: { seconds: number; prng: Prng; name: string },
): Promise<FaultResult> {
  const { kind, part } = fault;
  const notRun = fault.whyNot(world);
  if (notRun !== undefined) return { kind, part, notRun, ...NOTHING };
  const toldBefore = lossesTold(world);
  // Small disks are low from the beginning.
  const before = (await complaintsOf(world)) ?? [];
  const load = new ChaosLoad(world.url, options.name);
  load.start();
  let disturbed;
  try {
    disturbed = await disturb(world, fault, load, options);
  } finally {
    await load.stop();
  }
  const well = await waitUntilWell(world, before);
  const told = () => {
    const now = lossesTold(world);
    return { predictions: now.predictions - toldBefore.predictions, outcomes: now.outcomes - toldBefore.outcomes };
  };
  const { acknowledged, failedPredictions } = load;
  const problems = [
    ...load.problems,
    ...judgeJobs(disturbed.jobs, fault),
    ...(await findLost(world, acknowledged, told)),
    ...(await findContradictions(world)),
    ...(await findLeftFiles(world)),
    ...findSecrets(world),
    ...findStrays(world),
    ...(well.complaint === undefined ? [] : [`not well after ${READY_WITHIN_MS / 1000} s: ${well.complaint}`]),
    ...(part !== 'api' && failedPredictions > 0 ? [`${failedPredictions} predictions failed`] : []),
  ];
  return {
    kind,
    part,
    how: disturbed.how,
    predictions: acknowledged.predictions.length,
    failedPredictions,
    toldLost: told().predictions,
    outcomes: acknowledged.outcomes.length,
    events: acknowledged.events.length,
    jobs: [...disturbed.jobs].map(([, job]) => job?.status ?? 'unended').join(', '),
    readySeconds: well.seconds,
    problems,
  };
}

/** The fault in the middle of jobs. @returns how it was made, and how each job ended */
async function disturb(
  world: ChaosStack,
  fault: Fault,
  load: ChaosLoad,
  { seconds, prng, name }: { seconds: number; prng: Prng; name: string },
): Promise<{ how: string; jobs: Map<string, Job | undefined> }> {
  await startJobs(world, load, name);
  await sleep(prng.next() * 1000);
  const { how, end } = await fault.begin(world, seconds);
  await sleep(seconds * 1000);
  const effect = await end();
  await sleep(500);
  await promote(world, load, `${name}-deploy`);
  return { how: effect ? `${how}; ${effect}` : how, jobs: await load.waitForJobs(JOBS_WITHIN_MS) };
}
