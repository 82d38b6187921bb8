import type { Request, Response } from 'express';
import { ServiceError } from '../core/errors.js';
import { withDatabase } from '../services/database/database.js';
import { callerOf, type ApiContext } from './http-context.js';
import type { RouteDefinition } from './routes/route-definition.js';

/** Calls whose body may name a dataset or a data type, and where. */
export const DATA_IN_BODY: Readonly<Record<string, readonly string[]>> = {
  'post /models/train': ['training_data', 'source'],
  'put /schedules/{model}': ['training', 'training_data', 'source'],
};

/** Calls of a model that read what belongs to none: files and the models of a whole MLflow server. */
export const READS_BEYOND: readonly string[] = ['post /models/{model}/versions/import'];

/**
 * Keeps a caller that may touch some models only from all data but those that these models learn from by the models file: what a model was trained on
 * shows in its versions and its answers.
 * @throws ServiceError `dataset_not_found`, in the same words whether there is such a dataset or not
 */
export async function refuseOtherData(
  { method, path }: RouteDefinition,
  request: Request,
  response: Response,
  context: ApiContext,
): Promise<void> {
  const { models } = callerOf(response);
  const place = DATA_IN_BODY[`${method} ${path}`];
  if (models === undefined || place === undefined) return;
  const source = place.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    request.body,
  );
  // What is no text is refused by the schema of the route.
  if (typeof source !== 'string') return;
  response.locals['isHidden'] = true;
  const known = (await context.readModelsConfig()).models;
  const own = new Set(models.map((model) => known.get(model)?.source));
  const dataType = source.startsWith('ds_') ? await withDatabase(() => dataTypeOf(source, context)) : source;
  if (!own.has(dataType) || dataType === undefined)
    throw new ServiceError(
      'dataset_not_found',
      `There is no dataset or type of data "${source.slice(0, 100)}" for this caller, who may train on what its models learn from: leave ${place.join('.')} out.`,
    );
  response.locals['isHidden'] = false;
}

async function dataTypeOf(id: string, { database }: ApiContext): Promise<string | undefined> {
  if (id.includes('\0')) return undefined;
  return (await database.prisma.dataset.findUnique({ where: { id }, select: { dataType: true } }))?.dataType;
}
