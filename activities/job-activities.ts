import type { JobType } from '../core/names.js';
import { modelNameSchema } from '../core/schemas/training.js';
import type { Container } from '../services/container.js';
import { withoutSecrets } from '../services/sources/seal-source.js';
import { cleanUpJob } from '../services/jobs/clean-up-job.js';
import { checkJobId } from '../services/jobs/job.js';
import type { JobError } from '../services/jobs/job.js';
import { currentContext } from '../services/telemetry/correlation.js';
import { mapFailures } from './activity-run.js';

export function createJobActivities(container: Container) {
  const { jobs } = container;
  return {
    /** Writes the job down as running, also when it was started without the API. */
    beginJob: (input: { jobId: string; type: JobType; request: unknown }) =>
      mapFailures(async () => {
        checkJobId(input.jobId);
        const request = (input.request ?? {}) as Record<string, unknown>;
        const model = modelNameSchema.safeParse(request['model_type'] ?? request['model']).data;
        await jobs.markRunning({
          id: input.jobId,
          type: input.type,
          model,
          request: await withoutSecrets(request, container.database),
          correlationId: currentContext()?.correlationId ?? input.jobId,
        });
      }),

    /** Shows that a job waits for somebody to resume it. */
    notePaused: (input: { jobId: string }) => mapFailures(() => jobs.notePaused(input.jobId)),

    /** Writes the end of a job down, and removes what a failed one left half-done. */
    finishJob: (input: {
      jobId: string;
      status: 'completed' | 'failed' | 'cancelled';
      result?: unknown;
      error?: JobError;
    }) =>
      mapFailures(async () => {
        await cleanUpJob(input.jobId, container);
        await jobs.finish(input.jobId, input);
        container.logger.info({ job_id: input.jobId, status: input.status, error: input.error }, 'job ended');
      }),
  };
}
