import fc from 'fast-check';
import type { JsonSchema } from '../integration/api/support/json-schema.js';
import { checkAnswer, type FuzzAnswer } from './check-answer.js';
import type { Operation } from './read-operations.js';
import { requestTo, type FuzzRequest, type KnownNames } from './request-arbitrary.js';

const ANSWERED_WITHIN_MS = 30_000;

export interface FuzzSettings {
  url: string;
  seed: number;
  /** Requests to each operation. */
  requests: number;
  known: KnownNames;
  document: JsonSchema;
}

/** The smallest request that was found to be answered wrongly. */
export interface Finding {
  operation: string;
  request: FuzzRequest;
  problems: string[];
}

/** Sends requests of every sort to an operation. @returns the first that was answered wrongly, made as small as can be */
async function fuzzOperation(operation: Operation, settings: FuzzSettings): Promise<Finding | undefined> {
  const { url, seed, requests, known, document } = settings;
  let found: Finding | undefined;
  const property = fc.asyncProperty(requestTo(operation, document, known), async (request) => {
    const answer = await send(url, request);
    const problems = checkAnswer(operation, answer, document);
    if (problems.length === 0) return true;
    found = { operation: `${operation.method} ${operation.path}`, request, problems };
    return false;
  });
  await fc.check(property, { seed, numRuns: requests, maxSkipsPerRun: 10, interruptAfterTimeLimit: 60_000 });
  return found;
}

/** Several at a time: a request waits more than it works. */
const LANES = 4;

/** @returns of each operation that was answered wrongly the smallest request that shows it */
export async function fuzzOperations(
  operations: readonly Operation[],
  settings: FuzzSettings,
  onFinding: (finding: Finding) => void = () => undefined,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let next = 0;
  const work = async () => {
    while (next < operations.length) {
      const found = await fuzzOperation(operations[next++]!, settings);
      if (!found) continue;
      findings.push(found);
      onFinding(found);
    }
  };
  await Promise.all(Array.from({ length: LANES }, work));
  return findings;
}

async function send(url: string, { method, target, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
  const response = await fetch(url + target, {
    method,
    headers,
    body,
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
  });
  // A stream of events ends with its job.
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    await response.body?.cancel();
    return { status: response.status, headers: response.headers, text: 'a stream' };
  }
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Names of what the service has, for the paths. */
export async function readKnownNames(url: string): Promise<KnownNames> {
  const idsOf = async (path: string, key: string) => {
    const { items } = (await (await fetch(url + path)).json()) as { items: Record<string, string>[] };
    return items.slice(0, 5).map((item) => String(item[key]));
  };
  const [jobs, datasets, deployments] = await Promise.all([
    idsOf('/jobs', 'job_id'),
    idsOf('/data/datasets', 'dataset_id'),
    idsOf('/deployments', 'deployment_id'),
  ]);
  return {
    job_id: jobs,
    run_id: jobs,
    dataset_id: datasets,
    deployment_id: deployments,
    model: ['project_success', 'project-success', 'user_behavior'],
    version: ['v1.0.0', 'production'],
    alias: ['production', 'candidate'],
    data_type: ['projects', 'user_events'],
  };
}
