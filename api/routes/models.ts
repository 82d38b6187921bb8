import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { mayTouch } from '../../core/roles.js';
import { deployRequestSchema } from '../../core/schemas/deployment.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { trainRequestSchema } from '../../core/schemas/training.js';
import { modelQuerySchema, rollbackRequestSchema } from '../../core/schemas/traffic.js';
import { withDatabase } from '../../services/database/database.js';
import {
  checkDeployment,
  deploymentIdOf,
  refuseImpossibleTrial,
  refuseSecondRollout,
} from '../../services/deployments/open-deployment.js';
import { rollBack } from '../../services/deployments/roll-back.js';
import { listTraffic, trafficAsOf } from '../../services/deployments/traffic-ledger.js';
import { refuseFrozen } from '../../services/freezes/freeze-store.js';
import { parseRequest } from '../../services/parse-request.js';
import { cancelJob } from '../../services/pipelines/cancel-job.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { refuseUnready } from '../../services/registry/refuse-unready.js';
import { modelDefinition, type ModelDefinition } from '../../services/training/models-config.js';
import { planTraining } from '../../services/training/plan-training.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { versionAloneInAll, versionLoadedByAll } from '../all-processes.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

async function presentModel(definition: ModelDefinition, context: ApiContext) {
  const { name, kind, description = null, algorithm = 'auto', source, target = null } = definition;
  const latest = await withDatabase(() => context.versions.list(name, { limit: 1 }));
  return {
    model: name,
    kind,
    description,
    algorithm,
    source,
    target,
    latest_version: latest.items[0]?.version ?? null,
    serving: { version: context.routing.wanted(name) ?? null, loaded_version: await versionLoadedByAll(name) },
  };
}

const modelOf = async (path: string, context: ApiContext) => modelDefinition(await context.readModelsConfig(), path);

export const modelRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/models/train',
    tag: 'Models',
    summary: 'Train a model',
    description:
      'Trains on the newest dataset of the model’s data type (or the one named), measures it on entities that no fit has seen, and registers a version. ' +
      'The result of the job is `{model, version, promotable, reason, metrics}`.',
    role: 'engineer',
    body: trainRequestSchema,
    example: {
      model_type: 'user_behavior',
      hyperparameters: { n_estimators: 100, max_depth: 10 },
      validation_split: 0.2,
      cross_validation: false,
    },
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'dataset_not_found',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(trainRequestSchema, request.body);
      const idempotencyKey = idempotencyKeyOf(request);
      const input = {
        type: 'train' as const,
        model: body.model_type,
        request: body,
        idempotencyKey,
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      const known = await withDatabase(() => findKeyedJob(input, context));
      if (known) return jobAccepted(response, await startJob(input, context));
      const config = await context.readModelsConfig();
      const { maxTrainingTimeSeconds, autoMl, gpuEnabled } = context.config;
      const plan = await withDatabase(() =>
        planTraining(
          { jobId: 'check', request: body },
          {
            config,
            database: context.database,
            views: context.featureViews,
            maxTrainingTimeSeconds,
            autoMl,
            gpuEnabled,
          },
        ),
      );
      context.metrics.jobsStarted.inc({ type: 'train' });
      const accepted = jobAccepted(response, await startJob(input, context));
      return plan.warnings.length > 0 ? { ...accepted, warnings: plan.warnings } : accepted;
    },
  },
  {
    method: 'get',
    path: '/models',
    tag: 'Models',
    summary: 'List the models of the config',
    role: 'viewer',
    answers: [{ status: 200, description: 'All models', schema: listOf('Model') }],
    errors: ['dependency_unavailable'],
    async handle(_request, response, context) {
      const { models } = await context.readModelsConfig();
      const shown = [...models.values()].filter(({ name }) => mayTouch(callerOf(response), name));
      return {
        items: await Promise.all(shown.map((definition) => presentModel(definition, context))),
        next_cursor: null,
      };
    },
  },
  {
    method: 'get',
    path: '/models/{model}',
    tag: 'Models',
    summary: 'A model and the version that this process serves',
    role: 'viewer',
    query: modelQuerySchema,
    answers: [{ status: 200, description: 'The model', schema: ref('Model') }],
    errors: ['model_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { as_of: asOf } = parseRequest(modelQuerySchema, request.query);
      const definition = await modelOf(pathParameter(request, 'model'), context);
      const shown = await presentModel(definition, context);
      if (asOf === undefined) return shown;
      if (Date.parse(asOf) > Date.now())
        throw new ServiceError('request_invalid', 'Nobody knows yet who will serve then.', [
          { path: 'as_of', message: 'must not lie in the future' },
        ]);
      const traffic = await withDatabase(() => trafficAsOf(context.database, definition.name, new Date(asOf)));
      return { ...shown, as_of: asOf, traffic };
    },
  },
  {
    method: 'post',
    path: '/models/{model}/deploy',
    tag: 'Deployments',
    summary: 'Deploy a version',
    description:
      'Verifies and tests the version, gives it the traffic, and reads back what is really served before the job completes. ' +
      '`canary` gives it its traffic step by step and `shadow` lets it score beside the present version, and both go by the evidence: ' +
      'see GET /deployments/{deployment_id}. One rollout a model at a time.',
    role: 'operator',
    body: deployRequestSchema,
    example: { version: 'v1.0.0' },
    answers: [{ status: 202, description: 'The rollout was accepted', schema: ref('DeploymentAccepted') }],
    errors: [
      'request_malformed',
      'model_not_found',
      'version_not_found',
      'deployment_conflict',
      'traffic_frozen',
      'version_conflict',
      'approval_missing',
      'request_invalid',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(deployRequestSchema, request.body);
      const { name } = await modelOf(pathParameter(request, 'model'), context);
      return startDeployment(
        { model: name, ...body },
        { key: idempotencyKeyOf(request), sentBody: body },
        context,
        response,
      );
    },
  },
  {
    method: 'post',
    path: '/models/{model}/rollback',
    tag: 'Deployments',
    summary: 'Go back to the version before, at once',
    description:
      'Ends a rollout that is under way; without one, gives the traffic to the version before the deployed one, or to the one named. ' +
      'The artifact is verified first. It needs no workflow: it works while Temporal is away. `served` tells that every API process ' +
      'beside this one answers with the version already.',
    role: 'operator',
    body: rollbackRequestSchema,
    isBodyOptional: true,
    example: {},
    answers: [{ status: 200, description: 'The traffic is back', schema: ref('Rollback') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'version_not_found',
      'deployment_conflict',
      'version_conflict',
      'approval_missing',
      'artifact_corrupt',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const { version, note } = parseRequest(rollbackRequestSchema, request.body ?? {});
      const { name } = await modelOf(pathParameter(request, 'model'), context);
      const call = {
        model: name,
        version,
        sender: { by: callerOf(response).subject, note },
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
      };
      const { modelStoragePath } = context.config;
      const { result, endedJobIds } = await withDatabase(() => rollBack(call, { ...context, modelStoragePath }));
      // The traffic is back already; the workflow of the rollout finds that out by itself if Temporal is away.
      for (const endedJobId of endedJobIds)
        void cancelJob(endedJobId, context).catch((error: unknown) =>
          context.logger.warn(
            { err: error, job_id: endedJobId },
            'the workflow that the rollback has ended could not be told',
          ),
        );
      return { ...result, served: await isServedByAll(name, result.version) };
    },
  },
  {
    method: 'get',
    path: '/models/{model}/traffic',
    tag: 'Deployments',
    summary: 'Who served what from when on, newest first',
    description: 'The ledger is only ever added to, by the database itself.',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of the ledger', schema: listOf('TrafficEntry') }],
    errors: ['model_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const page = parseRequest(pageQuerySchema, request.query);
      const { name } = await modelOf(pathParameter(request, 'model'), context);
      return withDatabase(() => listTraffic(context.database, name, page));
    },
  },
];

/** Every process hears of a new route within milliseconds; one that has to load the version first takes longer. */
const SERVED_WITHIN_MS = 2000;
const ASK_EVERY_MS = 25;

/** The version that a rollback leaves may have answered before, beside one on trial: that is over, too. */
async function isServedByAll(model: string, version: string): Promise<boolean> {
  const untilMs = performance.now() + SERVED_WITHIN_MS;
  while (performance.now() < untilMs) {
    if ((await versionAloneInAll(model)) === version) return true;
    await sleep(ASK_EVERY_MS);
  }
  return false;
}

async function startDeployment(
  wanted: z.output<typeof deployRequestSchema> & { model: string },
  call: { key?: string; sentBody: unknown },
  context: ApiContext,
  response: Parameters<RouteDefinition['handle']>[1],
) {
  const input = {
    type: 'deploy' as const,
    model: wanted.model,
    request: { ...wanted },
    idempotencyKey: call.key,
    sentBody: call.sentBody,
    correlationId: correlationIdOf(response),
    requestedBy: callerOf(response).subject,
  };
  const known = await withDatabase(() => findKeyedJob(input, context));
  if (!known) {
    await withDatabase(async () => {
      // The alias is resolved now: "production" may mean another version by the time the workflow runs.
      const { version } = await checkDeployment(context.database, wanted);
      input.request.version = version.version;
      await refuseUnready(version, context);
      await refuseSecondRollout(context.database, wanted.model);
      if (wanted.strategy === 'immediate' && !wanted.override_freeze)
        await refuseFrozen(context.database, wanted.model);
      await refuseImpossibleTrial(context.database, { ...wanted, version: version.version });
    });
    context.metrics.jobsStarted.inc({ type: 'deploy' });
  }
  const job = await startJob(input, context);
  return { ...jobAccepted(response, job), deployment_id: deploymentIdOf(job.job_id) };
}
