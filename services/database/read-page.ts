import { ServiceError } from '../../core/errors.js';

export interface PageRequest {
  limit: number;
  cursor?: string;
}

/**
 * One page of a list. The cursor is the last item of the page before; it may have left a filtered list since, so it is
 * taken out where it stands instead of skipped blindly.
 * @throws ServiceError `request_invalid` for a cursor that names nothing.
 */
export async function readPage<Row>(
  page: PageRequest,
  list: { read: (take: number) => Promise<Row[]>; idOf: (row: Row) => string; find: (id: string) => Promise<unknown> },
): Promise<{ rows: Row[]; next_cursor: string | null }> {
  const found = await list.read(page.limit + 2);
  if (page.cursor && found.length === 0 && !(await list.find(page.cursor))) throw foreignCursor();
  const rest = found[0] !== undefined && list.idOf(found[0]) === page.cursor ? found.slice(1) : found;
  const rows = rest.slice(0, page.limit);
  return { rows, next_cursor: rest.length > page.limit ? list.idOf(rows.at(-1)!) : null };
}

/** The position that a cursor of a numbered list names. @throws ServiceError `request_invalid` */
export function readPosition(cursor: string): bigint {
  if (/^\d{1,18}$/.test(cursor)) return BigInt(cursor);
  throw foreignCursor();
}

const foreignCursor = () =>
  new ServiceError('request_invalid', 'The cursor is none of this list. Use next_cursor of the page before.', [
    { path: 'cursor', message: 'is not a cursor of this list' },
  ]);
