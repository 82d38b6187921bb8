import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DataFormat } from '../../core/schemas/ingestion.js';
import { copyFromRest } from '../encryption/file-keys.js';
import { keyIdOfFile } from '../encryption/sealed-file.js';
import { findUpload, uploadPath } from '../uploads/upload-store.js';
import type { Compression, Connector, FetchContext, SourceRequest } from './connector.js';
import { convertArrow } from './convert-arrow.js';
import { takeFile } from './take-file.js';
import { forbiddenSource } from './seal-source.js';
import { bringFolder } from '../storage/shared-files.js';

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
    const kept = uploadPath(context.config, upload);
    await bringFolder(dirname(kept), { only: (name) => name === basename(kept) });
    const path = await openedUpload(kept, context);
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

/** A sealed upload in the clear, in the folder of the job; it goes with that. */
async function openedUpload(path: string, { folder, attempt }: FetchContext): Promise<string> {
  if ((await keyIdOfFile(path)) === undefined) return path;
  await mkdir(join(folder, attempt), { recursive: true });
  const opened = join(folder, attempt, basename(path));
  await copyFromRest(path, opened);
  return opened;
}

function uploadIdOf({ source }: SourceRequest): string {
  const id = source.slice(source.indexOf(':') + 1);
  if (!/^upl_[0-9a-f]{24}$/.test(id)) throw forbiddenSource('The source must name an upload: upload:upl_….');
  return id;
}
