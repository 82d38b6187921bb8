import { lockTraffic } from '../deployments/lock-traffic.js';
import { randomBytes } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { ServiceError } from '../../core/errors.js';
import { SEARCH_ATTRIBUTES, TASK_QUEUES, type JobType } from '../../core/names.js';
import { digestOf } from '../canonical-json.js';
import { withDatabase, type Database, type Prisma } from '../database/database.js';
import type { Job } from '../jobs/job.js';
import type { JobStore } from '../jobs/job-store.js';
import { withTemporal } from './temporal-client.js';

/** The workflow of each type of job. */
export const WORKFLOW_OF_JOB: Record<JobType, string> = {
  ingest: 'ingestData',
  preprocess: 'preprocessData',
  replay: 'replayQuarantine',
  train: 'trainModel',
  deploy: 'deployModel',
  experiment: 'runExperiment',
  drill: 'drillRollout',
  materialize: 'materializeFeatures',
  retain: 'applyRetention',
  erase: 'eraseSubject',
  reencrypt: 'reencryptFiles',
  monitor: 'monitorModel',
  repair: 'repairModel',
};

const keyword = (name: string) => defineSearchAttributeKey(name, 'KEYWORD');

export interface StartJobInput {
  type: JobType;
  model?: string;
  datasetId?: string;
  /** The workflow's input: small, and without secrets. */
  request: Record<string, unknown>;
  idempotencyKey?: string;
  /** What the key is compared by: the request as it was sent. */
  sentBody?: unknown;
  correlationId: string;
  /** The subject that asks for it. */
  requestedBy: string;
}

export interface StartJobDependencies {
  database: Database;
  jobs: JobStore;
  temporal: Client;
}

/**
 * Accepts a job and starts its workflow. With an `Idempotency-Key`, the same key and body give the same job however
 * often and however concurrently they are sent: the row decides, and the workflow id follows from the key.
 * @throws ServiceError `idempotency_key_reused`, or `dependency_unavailable` when the database or Temporal is away.
 */
export async function startJob(input: StartJobInput, { database, jobs, temporal }: StartJobDependencies): Promise<Job> {
  const id = await withDatabase(() => acceptJob(database, input));
  const accepted = await withDatabase(() => jobs.get(id));
  if (!accepted) throw new ServiceError('job_not_found', `The job ${id} was removed while it was being started.`);
  if (accepted.status !== 'queued') return accepted;
  try {
    await startWorkflow(temporal, {
      id,
      type: accepted.type,
      model: accepted.model,
      request: accepted.request,
      correlationId: accepted.correlation_id,
      datasetId: input.datasetId,
    });
  } catch (error) {
    // Without a key the caller cannot ask for this job again, so it must not start behind their back.
    if (!input.idempotencyKey) await database.prisma.job.deleteMany({ where: { id, status: 'queued' } });
    throw error;
  }
  return (await withDatabase(() => jobs.get(id))) ?? accepted;
}

const requestHashOf = (input: StartJobInput) =>
  digestOf([input.type, input.model ?? null, input.sentBody ?? input.request]);

const keyReused = (key: string) =>
  new ServiceError(
    'idempotency_key_reused',
    `The Idempotency-Key "${key.slice(0, 100)}" was sent before with another request. Use a new key for a new request.`,
  );

/**
 * The job that a key has already, so that a repeated call is answered even when it would no longer be accepted.
 * @throws ServiceError `idempotency_key_reused`.
 */
export async function findKeyedJob(
  input: StartJobInput,
  { database, jobs }: Pick<StartJobDependencies, 'database' | 'jobs'>,
): Promise<Job | undefined> {
  const key = input.idempotencyKey;
  const known = key ? await database.prisma.idempotencyKey.findUnique({ where: { key } }) : null;
  if (!key || !known) return undefined;
  if (known.requestHash !== requestHashOf(input)) throw keyReused(key);
  return jobs.get(known.jobId);
}

/** Writes the job, or finds the one that the key already has. */
async function acceptJob(database: Database, input: StartJobInput): Promise<string> {
  const key = input.idempotencyKey;
  const id = `${input.type}-${key ? digestOf([input.type, key]).slice(0, 20) : randomBytes(10).toString('hex')}`;
  const requestHash = requestHashOf(input);
  return database.prisma.$transaction(async (transaction) => {
    if (key) {
      await transaction.idempotencyKey.createMany({ data: [{ key, requestHash, jobId: id }], skipDuplicates: true });
      const known = await transaction.idempotencyKey.findUniqueOrThrow({ where: { key } });
      if (known.requestHash !== requestHash) throw keyReused(key);
    }
    if (input.type === 'deploy' && input.model) await refuseSecondDeployment(transaction, input.model, id);
    const data = {
      id,
      type: input.type,
      model: input.model,
      status: 'queued',
      request: input.request as never,
      correlationId: input.correlationId,
      requestedBy: input.requestedBy,
    };
    await transaction.job.createMany({ data: [data], skipDuplicates: true });
    return id;
  });
}

/** Of two calls at the same moment one waits for the other here, so that one rollout a model is accepted at a time. */
async function refuseSecondDeployment(transaction: Prisma.TransactionClient, model: string, id: string): Promise<void> {
  await lockTraffic(transaction, model);
  if (await transaction.job.findUnique({ where: { id } })) return;
  const other = await transaction.job.findFirst({
    where: { type: 'deploy', model, status: { in: ['queued', 'running'] }, id: { not: id } },
  });
  if (other)
    throw new ServiceError(
      'deployment_conflict',
      `The job ${other.id} is rolling out a version of ${model}. Wait for it, or cancel it.`,
    );
}

/** Starts the workflow of an accepted job; one that runs already, or has run, is left alone. */
export async function startWorkflow(
  temporal: Client,
  job: { id: string; type: JobType; model: string | null; request: unknown; correlationId: string; datasetId?: string },
): Promise<void> {
  const attributes = [
    { key: keyword(SEARCH_ATTRIBUTES.jobType), value: job.type },
    ...(job.model ? [{ key: keyword(SEARCH_ATTRIBUTES.model), value: job.model }] : []),
    ...(job.datasetId ? [{ key: keyword(SEARCH_ATTRIBUTES.datasetId), value: job.datasetId }] : []),
  ];
  try {
    await withTemporal(temporal, () =>
      temporal.workflow.start(WORKFLOW_OF_JOB[job.type], {
        taskQueue: TASK_QUEUES.pipeline,
        workflowId: job.id,
        args: [job.request],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        memo: { correlation_id: job.correlationId, request: job.request },
        typedSearchAttributes: new TypedSearchAttributes(attributes),
        staticSummary: job.model ? `${job.type} ${job.model}` : job.type,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
