import { ServiceError } from '../../core/errors.js';
import { featureNameOf, type ViewVersion } from '../../core/schemas/feature-view.js';
import type { ColumnType } from '../datasets/column-types.js';
import type { Database } from '../database/database.js';
import type { ColumnProfile, DatasetManifest } from '../datasets/manifest.js';
import type { ModelDefinition } from '../training/models-config.js';
import { featuresOf } from './join-views.js';
import { findInputs, type ViewInputs } from './view-inputs.js';
import type { ViewStore } from './view-store.js';

/** A view as a training run joins it: version and snapshots are decided once. */
export interface PlannedView extends ViewVersion {
  inputs: ViewInputs;
}

/** @throws ServiceError `request_invalid` for a view that there is not, `dataset_not_found` */
export async function planViews(
  { name, feature_views: names = [] }: ModelDefinition,
  { database, views }: { database: Database; views: ViewStore },
): Promise<PlannedView[]> {
  const planned: PlannedView[] = [];
  for (const view of names) {
    const version = await views.latest(view).catch((error: unknown) => {
      if (!(error instanceof ServiceError) || error.code !== 'feature_view_not_found') throw error;
      const message = `names the feature view ${view}, which there is not`;
      throw new ServiceError('request_invalid', `The entry ${name} ${message}.`, [{ path: 'model_type', message }]);
    });
    planned.push({ ...version, inputs: await findInputs(database.prisma, version.definition) });
  }
  return planned;
}

const COLUMN_TYPES: Record<string, ColumnType> = { number: 'number', string: 'string', boolean: 'boolean' };

/** Names of a view's features, as columns of the training table. */
export const columnsOfView = ({ view, definition }: ViewVersion) =>
  featuresOf(definition).map(({ name, type }) => ({ name: featureNameOf(view, name), type: COLUMN_TYPES[type]! }));

/** The data as the recipe plans with it: the dataset's own columns and those of the views. */
export function withViewColumns(manifest: DatasetManifest, views: readonly PlannedView[]): DatasetManifest {
  const profile = ({ name, type }: { name: string; type: ColumnType }): ColumnProfile => ({
    name,
    type,
    null_share: 0,
    distinct: 0,
    minimum: null,
    maximum: null,
    mean: null,
    standard_deviation: null,
    quartiles: [null, null, null],
  });
  return { ...manifest, columns: [...manifest.columns, ...views.flatMap(columnsOfView).map(profile)] };
}

/** An entry that lists features has all of a view's besides, unless it names some of them. */
export function withViewFeatures(definition: ModelDefinition, views: readonly PlannedView[]): ModelDefinition {
  const { features } = definition;
  if (!features) return definition;
  const added = views.flatMap((view) => {
    const names = columnsOfView(view).map(({ name }) => name);
    return names.some((name) => features.includes(name)) ? [] : names;
  });
  return { ...definition, features: [...features, ...added] };
}
