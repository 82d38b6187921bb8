import { ServiceError } from '../../core/errors.js';
import { SANDBOX_MODEL } from '../../core/names.js';
import { drillRequestSchema, type DrillRequest } from '../../core/schemas/drill.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { refuseUnknownGuardrails } from '../deployments/open-deployment.js';
import { knownGuardrails, measuredHeads, type MeasuredHead } from '../deployments/rollout-measures.js';
import { parseRequest } from '../parse-request.js';
import { refuseShortLog } from './replay-log.js';

/** What the workflow of a drill follows. */
export interface OpenDrill {
  drillId: string;
  jobId: string;
  model: string;
  request: DrillRequest;
}

export const drillIdOf = (jobId: string): string => jobId.replace(/^drill-/, 'drl-');
export const drillJobIdOf = (id: string): string => id.replace(/^drl-/, 'drill-');

const modelOf = (request: DrillRequest) => (request.kind === 'rollout' ? SANDBOX_MODEL : request.model);

/**
 * Checks that a drill may begin now.
 * @throws ServiceError `drill_conflict`; of a replay `version_not_deployed`, `log_insufficient`, `request_invalid`
 */
export async function checkDrill(database: Database, body: unknown, jobId?: string): Promise<DrillRequest> {
  const request = parseRequest(drillRequestSchema, body);
  if (request.kind === 'rollout') {
    const other = await database.prisma.drill.findFirst({ where: { kind: 'rollout', state: 'running' } });
    if (other && other.jobId !== jobId)
      throw new ServiceError(
        'drill_conflict',
        `The drill ${other.id} is under way in the sandbox. Wait for it, or cancel its job ${other.jobId}.`,
      );
    return request;
  }
  refuseUnknownGuardrails(request, knownGuardrails(await headsOf(database, request.model)));
  await refuseShortLog(database, request, new Date());
  return request;
}

/** What the deployed version answers with. @throws ServiceError `version_not_deployed` */
export async function headsOf({ prisma }: Database, model: string): Promise<readonly MeasuredHead[]> {
  const route = await prisma.route.findUnique({ where: { model } });
  if (!route)
    throw new ServiceError(
      'version_not_deployed',
      `No version of ${model} is deployed, so nothing says what its answers mean.`,
    );
  const { version } = route;
  const row = await prisma.modelVersion.findUniqueOrThrow({ where: { model_version: { model, version } } });
  return measuredHeads(row.kind, (row.signature as unknown as { heads: readonly SignatureHead[] }).heads);
}

/** Writes the drill down. The database allows one in the sandbox at a time. Repeatable. */
export async function openDrill(
  { jobId, request: body }: { jobId: string; request: unknown },
  { database }: { database: Database },
): Promise<OpenDrill> {
  const drillId = drillIdOf(jobId);
  const { prisma } = database;
  const known = await prisma.drill.findUnique({ where: { id: drillId } });
  if (known) return { drillId, jobId, model: known.model, request: known.settings as unknown as DrillRequest };
  const request = await checkDrill(database, body, jobId);
  const model = modelOf(request);
  const settings = jsonOf(request);
  const { count } = await prisma.drill.createMany({
    data: [{ id: drillId, kind: request.kind, model, state: 'running', settings, jobId }],
    skipDuplicates: true,
  });
  if (count === 0 && !(await prisma.drill.findUnique({ where: { id: drillId } }))) {
    await checkDrill(database, body, jobId);
    throw new Error('Another drill had the sandbox a moment ago; this one begins with the next attempt.');
  }
  return { drillId, jobId, model, request };
}
