import { ServiceError } from '../../core/errors.js';
import { experimentRequestSchema, type ExperimentRequest } from '../../core/schemas/experiment.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import { lockTraffic } from '../deployments/lock-traffic.js';
import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';
import { parseRequest } from '../parse-request.js';
import { refuseUnreadyArms, type ReadinessContext } from '../registry/refuse-unready.js';
import { createVersionStore } from '../registry/version-store.js';
import { loadScorer } from '../serving/load-scorer.js';
import { freeSlice, type ExperimentArmRoute } from './experiment-arms.js';
import { completeAllocation, openFirstBatch, refuseBadAllocation } from './plan-allocation.js';
import { planFor, type ExperimentPlanned } from './plan-experiment.js';

/** An experiment that may begin, with every default written out. */
export interface CheckedExperiment {
  request: ExperimentRequest & {
    kind: 'binary' | 'mean' | 'ratio';
    better: 'rises' | 'falls';
    control: string;
    layer: string;
  };
  arms: ExperimentArmRoute[];
  heads: readonly SignatureHead[];
  plan: ExperimentPlanned;
}

/**
 * Checks an experiment and plans it by the traffic of the last days.
 * @throws ServiceError `request_invalid`, `version_not_found`, `version_not_deployed`
 */
export async function checkExperiment(database: Database, body: unknown): Promise<CheckedExperiment> {
  const request = parseRequest(experimentRequestSchema, body);
  const { model, metric, weight } = { ...request, weight: request.arms.reduce((sum, arm) => sum + arm.weight, 0) };
  const route = await database.prisma.route.findUnique({ where: { model } });
  if (!route)
    throw new ServiceError(
      'version_not_deployed',
      `No version of ${model} is deployed: entities outside the experiment would have no answer. Deploy one first.`,
    );
  const versions = await Promise.all(request.arms.map((arm) => createVersionStore(database).find(model, arm.version)));
  const arms = request.arms.map((arm, at): ExperimentArmRoute => {
    const { version, digest } = versions[at]!;
    return { arm: arm.arm ?? version, version, digest, weight: arm.weight / weight, retired: false };
  });
  refuseBadArms(arms, request.control);
  const { heads, features } = versions[0]!.signature as unknown as {
    heads: readonly SignatureHead[];
    features: readonly { name: string }[];
  };
  refuseBadAllocation(request, features);
  refuseUnknownMetric(metric, heads);
  const kind = request.kind ?? (metric.startsWith('feedback:') ? 'mean' : 'ratio');
  const better = request.better ?? (/^(loss:|error_rate)/.test(metric) ? 'falls' : 'rises');
  const allocation = completeAllocation(request);
  const layer = request.layer ?? model;
  const checked = { ...request, allocation, layer, kind, better, control: request.control ?? arms[0]!.arm };
  const plan = await planFor(database, checked, arms, heads);
  return { request: { ...checked, minimum_effect: plan.minimum_effect }, arms, heads, plan };
}

function refuseBadArms(arms: readonly ExperimentArmRoute[], control: string | undefined): void {
  const names = arms.map(({ arm }) => arm);
  const twice = names.findIndex((name, at) => names.indexOf(name) !== at);
  if (twice >= 0)
    throw new ServiceError('request_invalid', 'Two arms have the same name.', [
      { path: `arms.${twice}.arm`, message: `"${names[twice]}" is the name of another arm: give each its own` },
    ]);
  if (control !== undefined && !names.includes(control))
    throw new ServiceError('request_invalid', `The arms are ${names.join(', ')}.`, [
      { path: 'control', message: 'is not the name of an arm' },
    ]);
}

function refuseUnknownMetric(metric: string, heads: readonly SignatureHead[]): void {
  const [of, name] = metric.split(':');
  if (of !== 'loss' && of !== 'outcome') return;
  const fitting = heads.filter(
    ({ task }) => task === 'binary' || task === 'regression' || (of === 'loss' && task === 'multiclass'),
  );
  if (fitting.some((head) => head.name === name)) return;
  const known = fitting.map((head) => `${of}:${head.name}`).join(', ') || 'none';
  throw new ServiceError('request_invalid', `${of}: metrics of this model: ${known}.`, [
    { path: 'metric', message: 'is not measured for this model' },
  ]);
}

/** What the workflow of an experiment follows. */
export interface OpenExperiment {
  experimentId: string;
  jobId: string;
  model: string;
  windowSeconds: number;
  onWinner: 'keep' | 'promote';
}

export const experimentIdOf = (jobId: string): string => `exp-${jobId.replace(/^experiment-/, '')}`;
export const experimentJobIdOf = (id: string): string => `experiment-${id.replace(/^exp-/, '')}`;

/**
 * Writes the experiment down and gives each arm its entities. Every version is loaded and held to its golden rows first. Repeatable.
 * @throws ServiceError `experiment_conflict` when a rollout is under way or too few entities are free; `artifact_corrupt`
 */
export async function openExperiment(
  { jobId, request: body }: { jobId: string; request: unknown },
  context: ReadinessContext & { database: Database; modelStoragePath: string },
): Promise<OpenExperiment> {
  const { database, modelStoragePath } = context;
  const experimentId = experimentIdOf(jobId);
  const known = await database.prisma.experiment.findUnique({ where: { id: experimentId } });
  if (known) {
    const settings = known.settings as unknown as CheckedExperiment['request'];
    return {
      experimentId,
      jobId,
      model: known.model,
      windowSeconds: settings.window_seconds,
      onWinner: settings.on_winner,
    };
  }
  const checked = await checkExperiment(database, body);
  const { request, arms, plan } = checked;
  const { model, layer } = request;
  const allocation = openFirstBatch(request, arms);
  for (const { digest } of arms) await loadScorer(modelStoragePath, model, digest);
  await database.prisma.$transaction(async (transaction) => {
    await lockTraffic(transaction, model);
    await refuseUnreadyArms(model, arms, { ...context, database: { prisma: transaction } });
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`layer:${layer}`}))`;
    const slice = await sliceFor(transaction, request);
    const data = {
      ...slice,
      id: experimentId,
      model,
      state: 'running',
      arms: arms.map(({ finding: _none, ...arm }) => arm),
      control: request.control,
      settings: jsonOf(request),
      plan: { ...plan },
      layer,
      ...(allocation ? { allocation: jsonOf(allocation) } : {}),
      jobId,
    };
    await transaction.experiment.createMany({ data: [data], skipDuplicates: true });
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  });
  return { experimentId, jobId, model, windowSeconds: request.window_seconds, onWinner: request.on_winner };
}

/**
 * Entities that are in no other experiment of the layer. A rollout and an experiment at once would disturb each other, and so would
 * experiments of one model in two layers: an answer comes from one version only.
 * @throws ServiceError `experiment_conflict`
 */
export async function sliceFor(
  prisma: Prisma.TransactionClient,
  { model, layer, traffic }: { model: string; layer: string; traffic: number },
) {
  const rollout = await prisma.deployment.findFirst({ where: { model, finishedAt: null } });
  if (rollout)
    throw new ServiceError(
      'experiment_conflict',
      `The rollout ${rollout.id} of ${model} ${rollout.version} is under way. Wait for it, or abort it.`,
    );
  const elsewhere = await prisma.experiment.findFirst({ where: { model, state: 'running', layer: { not: layer } } });
  if (elsewhere)
    throw new ServiceError(
      'experiment_conflict',
      `The experiment ${elsewhere.id} of ${model} is in the layer ${elsewhere.layer}. An answer comes from one version, so all experiments of a model must be in one layer: use that one, or stop it.`,
    );
  const running = await prisma.experiment.findMany({ where: { layer, state: 'running' } });
  const slice = freeSlice(running, traffic);
  if (slice) return slice;
  throw new ServiceError(
    'experiment_conflict',
    `The experiments ${running.map(({ id }) => id).join(', ')} of the layer ${layer} leave less than ${traffic} % of the entities free. Stop one, or ask for less "traffic".`,
  );
}
