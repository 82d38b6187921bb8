import { experimentRequestSchema } from '../../core/schemas/experiment.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { checkExperiment, experimentIdOf, sliceFor } from '../../services/experiments/open-experiment.js';
import { stopExperiment } from '../../services/experiments/stop-experiment.js';
import { refuseUnreadyArms } from '../../services/registry/refuse-unready.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const CHECK_ERRORS = [
  'request_malformed',
  'request_invalid',
  'model_not_found',
  'version_not_found',
  'version_not_deployed',
  'media_type_unsupported',
  'dependency_unavailable',
] as const;

const example = {
  model: 'project_outcome',
  arms: [
    { arm: 'present', version: 'v1.0.0', weight: 50 },
    { arm: 'new', version: 'v1.1.0', weight: 50 },
  ],
  metric: 'feedback:revenue',
  minimum_effect: 0.5,
};

export const experimentRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/experiments',
    tag: 'Experiments',
    summary: 'Compare versions of a model among the entities that ask for predictions',
    description:
      'The same entity always sees the same arm. `metric` is what feedback reports, the truth of a head, its loss, or errors. Every look at the ' +
      'result is a valid one: the intervals hold however often one looks. An arm that does harm is taken back at once. Several ' +
      'experiments of a layer share its entities without overlap (`traffic`, `layer`). With `allocation: {method: "thompson"}` entities that come ' +
      'later go to the arms that look better, and the chance of each draw is in the answer and in the log as `propensity`.',
    role: 'operator',
    body: experimentRequestSchema,
    example,
    answers: [{ status: 202, description: 'The experiment was accepted', schema: ref('ExperimentAccepted') }],
    errors: [...CHECK_ERRORS, 'experiment_conflict', 'version_conflict', 'approval_missing', 'idempotency_key_reused'],
    async handle(request, response, context) {
      const body = parseRequest(experimentRequestSchema, request.body);
      const { name: model } = modelDefinition(await context.readModelsConfig(), body.model);
      const input = {
        type: 'experiment' as const,
        model,
        request: { ...body, model },
        idempotencyKey: idempotencyKeyOf(request),
        sentBody: body,
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      const known = await withDatabase(() => findKeyedJob(input, context));
      if (!known) {
        await withDatabase(async () => {
          const { arms, request: checked } = await checkExperiment(context.database, input.request);
          await refuseUnreadyArms(model, arms, context);
          await sliceFor(context.database.prisma, checked);
          // Aliases are resolved now: they may mean other versions by the time the workflow runs.
          input.request.arms = arms.map(({ arm, version }, at) => ({ arm, version, weight: body.arms[at]!.weight }));
        });
        context.metrics.jobsStarted.inc({ type: 'experiment' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), experiment_id: experimentIdOf(job.job_id) };
    },
  },
  {
    method: 'post',
    path: '/experiments/plan',
    tag: 'Experiments',
    summary: 'How long an experiment would take, and what it could find',
    description: 'From the traffic and the metric of the last 28 days; nothing is started.',
    role: 'viewer',
    body: experimentRequestSchema,
    example,
    answers: [{ status: 200, description: 'The plan', schema: ref('ExperimentPlan') }],
    errors: CHECK_ERRORS,
    async handle(request, _response, context) {
      const body = parseRequest(experimentRequestSchema, request.body);
      const { name: model } = modelDefinition(await context.readModelsConfig(), body.model);
      return withDatabase(async () => (await checkExperiment(context.database, { ...body, model })).plan);
    },
  },
  {
    method: 'get',
    path: '/experiments',
    tag: 'Experiments',
    summary: 'List experiments, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of experiments', schema: listOf('Experiment') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.experiments.list(page, modelsOf(response)));
    },
  },
  {
    method: 'get',
    path: '/experiments/{experiment_id}',
    tag: 'Experiments',
    summary: 'An experiment: per arm its samples, estimate, interval and decision',
    role: 'viewer',
    answers: [{ status: 200, description: 'The experiment', schema: ref('ExperimentDetail') }],
    errors: ['experiment_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.experiments.get(pathParameter(request, 'experiment_id'))),
  },
  {
    method: 'post',
    path: '/experiments/{experiment_id}/stop',
    tag: 'Experiments',
    summary: 'Stop an experiment',
    description:
      'Its entities are answered by the deployed version at once. One that is over already answers as it ended.',
    role: 'operator',
    answers: [{ status: 200, description: 'The experiment', schema: ref('ExperimentDetail') }],
    errors: ['experiment_not_found', 'experiment_conflict', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const id = pathParameter(request, 'experiment_id');
      await withDatabase(() => stopExperiment(id, context));
      return withDatabase(() => context.experiments.get(id));
    },
  },
];
