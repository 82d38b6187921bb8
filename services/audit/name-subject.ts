import type { Database } from '../database/database.js';

/**
 * Says who makes the changes of a transaction, for the triggers that write them down: of rows that do not tell it themselves, as those
 * that are removed.
 * @param reason for triggers that keep one
 */
export async function nameSubject(
  transaction: Pick<Database['prisma'], '$executeRaw'>,
  subject: string,
  reason = '',
): Promise<void> {
  await transaction.$executeRaw`
    SELECT set_config('mlops.subject', ${subject}, true), set_config('mlops.reason', ${reason}, true)`;
}
