import { ServiceError } from '../../core/errors.js';
import { sweepsQuerySchema, trialsQuerySchema } from '../../core/schemas/listing.js';
import { sweepBudgetSchema } from '../../core/schemas/search.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { controlSweep, type SweepCommand } from '../../services/search/control-sweep.js';
import { pathParameter, type ApiContext } from '../http-context.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const OVER = ['completed', 'stopped', 'failed', 'cancelled'];

/** Tells a sweep that is not over, and answers how it stands then. */
async function tell(id: string, command: SweepCommand, context: ApiContext) {
  const { state } = await withDatabase(() => context.sweeps.get(id));
  if (OVER.includes(state))
    throw new ServiceError('sweep_conflict', `The sweep ${id} is ${state} already; nothing can be changed any more.`);
  await controlSweep(id, command, context);
  return withDatabase(() => context.sweeps.get(id));
}

const control = (
  action: 'pause' | 'resume' | 'stop',
  told: { summary: string; description?: string },
): RouteDefinition => ({
  method: 'post',
  path: `/sweeps/{sweep_id}/${action}`,
  tag: 'Sweeps',
  ...told,
  role: 'engineer',
  answers: [{ status: 200, description: 'The sweep', schema: ref('Sweep') }],
  errors: ['sweep_not_found', 'sweep_conflict', 'dependency_unavailable'],
  handle: (request, _response, context) =>
    tell(pathParameter(request, 'sweep_id'), { name: `${action}_sweep` }, context),
});

export const sweepRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/sweeps',
    tag: 'Sweeps',
    summary: 'List sweeps, newest first',
    description: 'A sweep belongs to a training job: `POST /models/train` with `search` starts one.',
    role: 'viewer',
    query: sweepsQuerySchema,
    answers: [{ status: 200, description: 'A page of sweeps', schema: listOf('Sweep') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const { limit, cursor, ...filter } = parseRequest(sweepsQuerySchema, request.query);
      return withDatabase(() => context.sweeps.list({ ...filter, models: modelsOf(response) }, { limit, cursor }));
    },
  },
  {
    method: 'get',
    path: '/sweeps/{sweep_id}',
    tag: 'Sweeps',
    summary: 'A sweep: how far it is, its best so far, and what its trials follow from',
    role: 'viewer',
    answers: [{ status: 200, description: 'The sweep', schema: ref('Sweep') }],
    errors: ['sweep_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => withDatabase(() => context.sweeps.get(pathParameter(request, 'sweep_id'))),
  },
  {
    method: 'get',
    path: '/sweeps/{sweep_id}/trials',
    tag: 'Sweeps',
    summary: 'The trials of a sweep, the latest first',
    description: 'Each with its configuration, its curve so far, its loss, and the reason where it has failed.',
    role: 'viewer',
    query: trialsQuerySchema,
    answers: [{ status: 200, description: 'A page of trials', schema: listOf('SweepTrial') }],
    errors: ['request_invalid', 'sweep_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const { limit, cursor, ...filter } = parseRequest(trialsQuerySchema, request.query);
      return withDatabase(() =>
        context.sweeps.listTrials(pathParameter(request, 'sweep_id'), filter, { limit, cursor }),
      );
    },
  },
  control('pause', {
    summary: 'Start no further trial',
    description: 'Trials under way run to their end, and the time of the pause does not count.',
  }),
  control('resume', { summary: 'Go on with a paused sweep' }),
  control('stop', {
    summary: 'Take the best so far',
    description:
      'Trials under way are given up; the job goes on with the best configuration, or fails where there is none.',
  }),
  {
    method: 'post',
    path: '/sweeps/{sweep_id}/budget',
    tag: 'Sweeps',
    summary: 'Change how many trials or how much time a sweep has',
    description: 'Totals, so that a repeated call changes nothing. Not less than what has begun.',
    role: 'engineer',
    body: sweepBudgetSchema,
    example: { trials: 100 },
    answers: [{ status: 200, description: 'The sweep', schema: ref('Sweep') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'sweep_not_found',
      'sweep_conflict',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    handle: (request, _response, context) => {
      const budget = parseRequest(sweepBudgetSchema, request.body);
      return tell(pathParameter(request, 'sweep_id'), { name: 'change_budget', budget }, context);
    },
  },
];
