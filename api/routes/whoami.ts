import { includesRole, ROLES } from '../../core/roles.js';
import { callerOf, signedInCallerOf } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

export const whoamiRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/whoami',
    tag: 'Access',
    summary: 'Who the service takes the caller for, and what that caller may do',
    description:
      'Where the service asks nobody to sign in, everybody is `local`, an administrator, and `signed_in` is false.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The caller', schema: ref('Whoami') }],
    async handle(_request, response) {
      const { subject, role, models } = callerOf(response);
      return {
        subject,
        role,
        roles: ROLES.filter((one) => includesRole(role, one)),
        models: models ?? null,
        signed_in: signedInCallerOf(response) !== undefined,
      };
    },
  },
];
