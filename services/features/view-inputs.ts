import { ServiceError } from '../../core/errors.js';
import type { FeatureView } from '../../core/schemas/feature-view.js';
import type { Prisma } from '../database/database.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { dataTypesOf, type SourceFiles } from './view-rows.js';

/** A snapshot that a view is read from. */
export interface ViewInput {
  dataset_id: string;
  digest: string;
}
export type ViewInputs = Readonly<Record<string, ViewInput>>;

/** The newest snapshot of each data type that a view reads. @throws ServiceError `dataset_not_found` */
export async function findInputs(prisma: Prisma.TransactionClient, view: FeatureView): Promise<ViewInputs> {
  const inputs: Record<string, ViewInput> = {};
  for (const dataType of dataTypesOf(view)) {
    const dataset = await prisma.dataset.findFirst({ where: { dataType }, orderBy: { createdAt: 'desc' } });
    if (!dataset)
      throw new ServiceError(
        'dataset_not_found',
        `The view reads the data type ${dataType}, of which there is no dataset yet. Ingest one first: POST /data/ingest {"source": …, "data_type": "${dataType}"}.`,
      );
    inputs[dataType] = { dataset_id: dataset.id, digest: dataset.digest };
  }
  return inputs;
}

export async function filesOfInputs(inputs: ViewInputs, datasets: string): Promise<SourceFiles> {
  const files = Object.entries(inputs).map(
    async ([dataType, { dataset_id: id }]) => [dataType, await datasetFiles(datasets, id)] as const,
  );
  return Object.fromEntries(await Promise.all(files));
}
