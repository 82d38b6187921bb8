import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { DataFormat } from '../../core/schemas/ingestion.js';
import { findUpload, uploadPath } from '../uploads/upload-store.js';
import type { Compression, Connector, SourceRequest } from './connector.js';
import { convertArrow } from './convert-arrow.js';
import { takeFile } from './take-file.js';
import { forbiddenSource } from './seal-source.js';

/** What was sent to `POST /data/uploads`. Its format was said then. */
export const uploadConnector: Connector = {
  title: 'upload:{upload_id}',
  options: [],

  async check(request, { database }) {
    return `upload:${(await findUpload(database, uploadIdOf(request))).id}`;
  },

  async plan(request, { database }) {
    const { id, bytes } = await findUpload(database, uploadIdOf(request));
    return { parts: [{ id: '0000001-upload', label: `upload:${id}`, read: {}, bytes: Number(bytes) }] };
  },

  async fetch(request, _part, context) {
    const upload = await findUpload(context.database, uploadIdOf(request));
    const path = uploadPath(context.config, upload);
    const [format, compression] = [upload.format as DataFormat, upload.compression as Compression];
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if (format === 'arrow') return await convertArrow(handle, compression, context);
      return { ...(await takeFile(handle, path, context)), format, compression };
    } finally {
      await handle.close();
    }
  },
};

function uploadIdOf({ source }: SourceRequest): string {
  const id = source.slice(source.indexOf(':') + 1);
  if (!/^upl_[0-9a-f]{24}$/.test(id)) throw forbiddenSource('The source must name an upload: upload:upl_….');
  return id;
}
