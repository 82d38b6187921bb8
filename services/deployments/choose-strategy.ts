import type { Database } from '../database/database.js';

/** How a version that was found automatically is rolled out: as a canary beside the one that is served, or at once where none is. */
export async function chooseStrategy(
  model: string,
  { database }: { database: Database },
): Promise<'canary' | 'immediate'> {
  const route = await database.prisma.route.findUnique({ where: { model } });
  return route ? 'canary' : 'immediate';
}
