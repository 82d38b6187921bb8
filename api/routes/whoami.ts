import { callerOf } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

export const whoamiRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/whoami',
    tag: 'Access',
    summary: 'Who the service takes the caller for, and what that caller may do',
    description: 'While no sign-in is configured everybody is `local`, an admin.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The caller', schema: ref('Whoami') }],
    handle(_request, response) {
      const { subject, role, models = null } = callerOf(response);
      return Promise.resolve({ subject, role, models });
    },
  },
];
