import { bundleFolder } from '../artifacts/model-bundle.js';
import { nameSubject } from '../audit/name-subject.js';
import type { Database } from '../database/database.js';
import { lockVersion } from './change-state.js';
import type { VersionName } from './version-events.js';
import { refuseInUse } from './version-use.js';
import { dropShared } from '../storage/shared-files.js';

/**
 * Removes a version for good: its row, then its files. What was written about it (history, notes, approvals, predictions) stays, and
 * its number is not given out again.
 * @throws ServiceError `version_in_use` while something relies on it
 */
export async function deleteVersion(
  { database, modelStoragePath }: { database: Database; modelStoragePath: string },
  { model, version }: VersionName,
  { subject, reason }: { subject: string; reason?: string },
): Promise<void> {
  const { prisma } = database;
  const digest = await prisma.$transaction(async (transaction) => {
    await lockVersion(transaction, { model, version });
    await refuseInUse(transaction, { model, version });
    // The trigger that writes the deletion down reads these.
    await nameSubject(transaction, subject, reason);
    return (await transaction.modelVersion.delete({ where: { model_version: { model, version } } })).digest;
  });
  await prisma.$transaction(async (transaction) => {
    // Registering takes the same lock. Equal trainings share their files.
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`version:${model}`}))`;
    if (await transaction.modelVersion.findFirst({ where: { model, digest } })) return;
    await dropShared(bundleFolder(modelStoragePath, model, digest));
  });
}
