import { judgeApprovals } from '../../core/policy/approval.js';
import { ServiceError } from '../../core/errors.js';
import type { Prisma } from '../database/database.js';
import type { ModelsConfig } from '../training/models-config.js';
import { refuseChangedViews } from './refuse-changed-views.js';
import { decisionsOn } from './version-approvals.js';

export interface ReadinessContext {
  /** The database, or a transaction of it. */
  database: { prisma: Prisma.TransactionClient };
  readModelsConfig: () => Promise<ModelsConfig>;
}

interface StoredVersion {
  model: string;
  version: string;
  state: string;
}

/**
 * Whoever gives traffic to a version asks here first, at the API and once more in the workflow, which may have been started from the
 * command line.
 * @throws ServiceError `version_conflict` for an archived version, `approval_missing` with what is missing, `feature_view_changed`
 */
export async function refuseUnready(version: StoredVersion, context: ReadinessContext): Promise<void> {
  refuseArchived(version);
  await refuseUnapproved(version, context);
  await refuseChangedViews(version, context);
}

/** The same for the arms of an experiment; the one that has the traffic already needs nothing. */
export async function refuseUnreadyArms(
  model: string,
  arms: readonly { version: string }[],
  context: ReadinessContext,
): Promise<void> {
  const where = { model, version: { in: arms.map(({ version }) => version) }, state: { not: 'production' } };
  for (const version of await context.database.prisma.modelVersion.findMany({ where }))
    await refuseUnready(version, context);
}

/** @throws ServiceError `version_conflict` */
export function refuseArchived({ model, version, state }: StoredVersion): void {
  if (state !== 'archived') return;
  throw new ServiceError(
    'version_conflict',
    `${model} ${version} is archived. Bring it back first: POST /models/${model}/versions/${version}/state {"state": "candidate"}.`,
  );
}

/** @throws ServiceError `approval_missing` that says how many are missing and who has rejected the version */
export async function refuseUnapproved(
  { model, version }: Pick<StoredVersion, 'model' | 'version'>,
  { database, readModelsConfig }: ReadinessContext,
): Promise<void> {
  const rule = (await readModelsConfig()).models.get(model)?.approvals;
  if (!rule) return;
  const standing = judgeApprovals(rule, await decisionsOn(database.prisma, { model, version }));
  if (standing.isApproved) return;
  const { missing, rejectedBy } = standing;
  const wanting = [
    ...(missing > 0 ? [`${missing} of its ${rule.count} approvals by a subject with the role ${rule.role}`] : []),
    ...(rejectedBy.length > 0 ? [`the consent of ${rejectedBy.join(', ')}, who rejected it`] : []),
  ];
  throw new ServiceError(
    'approval_missing',
    `${model} ${version} lacks ${wanting.join(' and ')}: POST /models/${model}/versions/${version}/approvals.`,
  );
}
