import type { Database, Prisma } from '../database/database.js';

/** What a person wanted of a rollout. */
export interface NotedCommand {
  /** Tells a repeated write from a second command. */
  key: string;
  action: string;
  by: string;
  note?: string;
  detail?: object;
  /** Why it had no effect. */
  refused?: string;
  /** ISO-8601. */
  at: string;
}

/** Writes down what persons wanted of a rollout, once each. Repeatable. */
export async function noteCommands(
  { deploymentId, commands }: { deploymentId: string; commands: readonly NotedCommand[] },
  { database }: { database: Pick<Database, 'prisma'> },
): Promise<void> {
  await database.prisma.deploymentCommand.createMany({
    data: commands.map(({ key, action, by, note, detail, refused, at }) => ({
      deploymentId,
      key,
      action,
      by,
      note: note ?? null,
      ...(detail ? { detail: detail as Prisma.InputJsonObject } : {}),
      refused: refused ?? null,
      at: new Date(at),
    })),
    skipDuplicates: true,
  });
}
