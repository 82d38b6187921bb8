import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import { readPage, type PageRequest } from '../database/read-page.js';

/** Shows how far sources were read, and has them read again. */
export function createWatermarkStore({ prisma }: Database) {
  return {
    async list(page: PageRequest) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.sourceWatermark.findMany({
            orderBy: [{ updatedAt: 'desc' }, { id: 'desc' }],
            omit: { seen: true },
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.sourceWatermark.findUnique({ where: { id }, omit: { seen: true } }),
      });
      const items = rows.map((row) => ({
        watermark_id: row.id,
        data_type: row.dataType,
        source: row.source,
        cursor_column: row.cursorColumn,
        value: row.value,
        dataset_id: row.datasetId,
        updated_at: row.updatedAt.toISOString(),
      }));
      return { items, next_cursor };
    },
    /** @throws ServiceError `watermark_not_found` */
    async remove(id: string): Promise<void> {
      const { count } = await prisma.sourceWatermark.deleteMany({ where: { id } });
      if (count === 0)
        throw new ServiceError(
          'watermark_not_found',
          `There is no watermark "${id.slice(0, 100)}". GET /data/watermarks lists them.`,
        );
    },
  };
}
