import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import type { validateRequestSchema } from '../../core/schemas/expectation.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import type { ModelsConfig } from '../training/models-config.js';
import { declaredExpectations } from './declared-expectations.js';
import { storeReport, type StoredReport } from './report-store.js';
import type { ResolveContext } from './resolve-expectations.js';
import { validateDataset } from './validate-dataset.js';

/**
 * Holds a registered dataset to what a request expects of it, or else to what its data type declares, and keeps the report.
 * @throws ServiceError `dataset_not_found`, `request_invalid`, `deadline_exceeded`
 */
export async function validateStoredDataset(
  request: z.output<typeof validateRequestSchema>,
  context: ResolveContext & { readModelsConfig: () => Promise<ModelsConfig>; nowMs: number; timeLimitMs: number },
): Promise<StoredReport> {
  const row = await context.database.prisma.dataset.findUnique({ where: { id: request.dataset_id } });
  if (!row)
    throw new ServiceError(
      'dataset_not_found',
      `There is no dataset "${request.dataset_id.slice(0, 100)}". GET /data/datasets lists them.`,
    );
  const { dataTypes } = await context.readModelsConfig();
  const report = await validateDataset(
    {
      dataset: {
        id: row.id,
        dataType: row.dataType,
        manifest: row.manifest as unknown as DatasetManifest,
        createdAt: row.createdAt,
      },
      expectations: request.expectations ?? declaredExpectations(dataTypes.get(row.dataType)),
      isRequested: request.expectations !== undefined,
      nowMs: context.nowMs,
      timeLimitMs: context.timeLimitMs,
    },
    context,
  );
  return storeReport(context.database, report);
}
