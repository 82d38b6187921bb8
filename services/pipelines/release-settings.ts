import { z } from 'zod';

/** Which build of the workers a process is, or manages. */
export interface ReleaseSettings {
  deploymentName: string;
  buildId: string;
}

/** Worker deployments of Temporal: off without a build id. */
export const releaseEnvironment = {
  WORKER_DEPLOYMENT_NAME: z
    .string()
    .regex(/^[A-Za-z0-9][\w-]{0,62}$/, 'must be of letters, digits, `-` and `_`, at most 63')
    .default('mlops')
    .describe('Name under which Temporal knows all builds of the workers of this installation'),
  WORKER_BUILD_ID: z
    .string()
    .regex(/^[A-Za-z0-9][\w.+-]{0,127}$/, 'must be of letters, digits, `.`, `-`, `+` and `_`, at most 128')
    .optional()
    .describe(
      'Which build this worker is, such as v1.4.0: a workflow stays with the build that it was started on, and a build gets new ones once `npm run release` has made it current. Without it workflows go to any worker',
    ),
};

/** @returns undefined where workers have no build ids */
export const readReleaseSettings = (env: {
  WORKER_DEPLOYMENT_NAME: string;
  WORKER_BUILD_ID?: string;
}): ReleaseSettings | undefined =>
  env.WORKER_BUILD_ID === undefined
    ? undefined
    : { deploymentName: env.WORKER_DEPLOYMENT_NAME, buildId: env.WORKER_BUILD_ID };
