import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { bringBundle, bundleFolder } from '../artifacts/model-bundle.js';
import { readAtRest } from '../encryption/file-keys.js';
import { STAGED } from '../training/training-plan.js';
import type { ReportDocument } from './report-document.js';

/**
 * The report of a version, with the version's own name in it, as reports are written before versions are numbered.
 * @throws ServiceError `report_not_found` for a version that has none: of a kind without reports, or of an earlier release
 */
export async function readReport(
  { model, version, digest }: { model: string; version: string; digest: string },
  modelStoragePath: string,
): Promise<ReportDocument> {
  const folder = bundleFolder(modelStoragePath, model, digest);
  const file = join(folder, STAGED.report);
  await bringBundle(folder);
  const text = await readAtRest(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return 'null';
    throw error;
  });
  const document = parse(text.toString(), file);
  if (document === null)
    throw new ServiceError(
      'report_not_found',
      `${model} ${version} has no report: its kind writes none, or it was trained by an earlier release. Train it again to have one.`,
    );
  if (document.format_version !== 1)
    throw new ServiceError(
      'report_not_found',
      `The report of ${model} ${version} has the format ${String(document.format_version)}; this release reads 1.`,
    );
  return { ...document, model, version };
}

function parse(text: string, file: string): ReportDocument | null {
  try {
    return JSON.parse(text) as ReportDocument | null;
  } catch {
    throw new ServiceError('artifact_corrupt', `${file} is no JSON: the file was changed or cut off.`);
  }
}
