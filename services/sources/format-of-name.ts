import { basename } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { DATA_FORMATS, type DataFormat } from '../../core/schemas/ingestion.js';
import type { Compression } from './connector.js';

const ENDINGS: Record<string, DataFormat> = { jsonl: 'ndjson' };
export const COMPRESSION_ENDINGS: Record<Compression, string> = { none: '', gzip: '.gz', zstd: '.zst' };
const COMPRESSIONS: Record<string, Compression> = { gz: 'gzip', zst: 'zstd' };

/**
 * What the name of a file says about its content: `events.csv.gz`.
 * @param wanted the format that was asked for; without it the ending decides
 * @throws ServiceError `source_unreadable` when neither tells
 */
export function formatOfName(
  name: string,
  wanted: DataFormat | undefined,
): { format: DataFormat; compression: Compression } {
  const [, before, last = ''] = /(?:\.(\w+))?\.(\w+)$/.exec(basename(name).toLowerCase()) ?? [];
  const compression = Object.hasOwn(COMPRESSIONS, last) ? COMPRESSIONS[last]! : 'none';
  const ending = (compression === 'none' ? last : before) ?? '';
  const format = wanted ?? (Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending]! : ending);
  if ((DATA_FORMATS as readonly string[]).includes(format)) return { format: format as DataFormat, compression };
  throw new ServiceError(
    'source_unreadable',
    `The ending of ${basename(name).slice(0, 100)} does not tell its format.`,
    [{ path: 'options.format', message: `must be given: one of ${DATA_FORMATS.join(', ')}` }],
  );
}

/**
 * The format of several files, which must be the same.
 * @throws ServiceError `source_unreadable` when a name does not tell, or names tell different ones
 */
export function oneFormat(names: readonly string[], wanted: DataFormat | undefined): DataFormat {
  const formats = new Set(names.map((name) => formatOfName(name, wanted).format));
  const [format] = formats;
  if (formats.size === 1) return format!;
  throw new ServiceError('source_unreadable', `The files have different formats: ${[...formats].join(', ')}.`, [
    { path: 'source', message: 'must name files of one format, or options.format say which it is' },
  ]);
}
