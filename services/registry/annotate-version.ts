import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { lockVersion } from './change-state.js';
import type { VersionName } from './version-events.js';

export const presentNote = ({ id, text, subject, at }: Prisma.VersionNoteGetPayload<object>) => ({
  note_id: `note-${id}`,
  text,
  by: subject,
  at: at.toISOString(),
});

/** Adds a note; notes are never changed or taken away. */
export async function addNote(
  { prisma }: Database,
  { model, version }: VersionName,
  { text, subject }: { text: string; subject: string },
) {
  return presentNote(await prisma.versionNote.create({ data: { model, version, text, subject } }));
}

/** The notes on a version, newest first. */
export async function listNotes(
  { prisma }: Database,
  { model, version }: VersionName,
  page: { limit: number; cursor?: string },
) {
  const idOf = (cursor: string) => BigInt(/^note-(\d{1,18})$/.exec(cursor)?.[1] ?? -1);
  const { rows, next_cursor } = await readPage(page, {
    read: (take) =>
      prisma.versionNote.findMany({
        where: { model, version },
        orderBy: { id: 'desc' },
        take,
        ...(page.cursor ? { cursor: { id: idOf(page.cursor) } } : {}),
      }),
    idOf: (row) => `note-${row.id}`,
    find: (cursor) => prisma.versionNote.findFirst({ where: { id: idOf(cursor), model, version } }),
  });
  return { items: rows.map(presentNote), next_cursor };
}

/** Gives a version these tags and no others. @throws ServiceError `version_not_found` for one that was deleted meanwhile */
export async function setTags(
  { prisma }: Database,
  { model, version }: VersionName,
  tags: Record<string, string>,
): Promise<void> {
  await prisma.$transaction(async (transaction) => {
    await lockVersion(transaction, { model, version });
    await transaction.modelVersion.update({ where: { model_version: { model, version } }, data: { tags } });
  });
}
