import { ServiceError } from '../../core/errors.js';
import { statesAfter, TRAFFIC_STATES, type VersionState } from '../../core/policy/lifecycle.js';
import { lockTraffic } from '../deployments/lock-traffic.js';
import type { Database, Prisma } from '../database/database.js';
import { refuseInUse } from './version-use.js';
import { hasServed, type VersionName } from './version-events.js';

/**
 * Gives a version the state that a person wants it to have. Asked for the one that it has, it changes nothing.
 * @throws ServiceError `version_conflict` that names the states which are possible; `version_in_use` for archiving one that
 * something still relies on
 */
export async function changeState(
  { prisma }: Database,
  { model, version }: VersionName,
  input: { state: VersionState; reason?: string; subject: string },
): Promise<void> {
  const { state: wanted, reason, subject } = input;
  await prisma.$transaction(async (transaction) => {
    const present = await lockVersion(transaction, { model, version });
    if (present === wanted) return;
    const allowed = statesAfter(present, {
      by: 'request',
      hasServed: await hasServed(transaction, { model, version }),
    });
    if (!allowed.includes(wanted)) throw notAllowed({ model, version }, present, wanted, allowed);
    if (wanted === 'archived') await refuseInUse(transaction, { model, version });
    await transaction.versionEvent.create({ data: { model, version, toState: wanted, reason, subject } });
  });
}

/** Rollouts, rollbacks and experiments of the model wait until the transaction is over. */
export async function lockVersion(
  transaction: Prisma.TransactionClient,
  { model, version }: VersionName,
): Promise<VersionState> {
  await lockTraffic(transaction, model);
  const [row] = await transaction.$queryRaw<{ state: VersionState }[]>`
    SELECT state FROM model_versions WHERE model = ${model} AND version = ${version} FOR NO KEY UPDATE`;
  if (row) return row.state;
  throw new ServiceError('version_not_found', `The model ${model} has no version ${version} any more.`);
}

function notAllowed(
  { model, version }: VersionName,
  present: VersionState,
  wanted: VersionState,
  allowed: readonly VersionState[],
): ServiceError {
  const choices =
    allowed.length > 0 ? `It can become ${allowed.join(' or ')} by request.` : 'No request can change that.';
  const traffic =
    TRAFFIC_STATES.includes(wanted) || TRAFFIC_STATES.includes(present)
      ? ` ${TRAFFIC_STATES.join(', ')} follow from the traffic: deploy a version, or roll back.`
      : '';
  return new ServiceError(
    'version_conflict',
    `${model} ${version} is ${present} and cannot become ${wanted}. ${choices}${traffic}`,
  );
}
