import { ServiceError } from '../../core/errors.js';
import { trainRequestSchema, type TrainRequest } from '../../core/schemas/training.js';
import type { Database } from '../database/database.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { planViews, withViewColumns, withViewFeatures } from '../features/plan-views.js';
import type { ViewStore } from '../features/view-store.js';
import type { PlannedKind } from '../kinds/recipe.js';
import { RECIPES } from '../kinds/recipes.js';
import { parseRequest } from '../parse-request.js';
import { releaseVersion } from '../release-version.js';
import { automaticSearch, describeAutomaticSearch } from '../search/automatic-search.js';
import { planSearch } from '../search/plan-search.js';
import { modelDefinition, type ModelDefinition, type ModelsConfig } from './models-config.js';
import type { TrainingPlan } from './training-plan.js';

/**
 * Checks a training request against the config and the data, and decides everything that the run follows.
 * @throws ServiceError `request_invalid`, `model_not_found` or `dataset_not_found`, each with what to do.
 */
export async function planTraining(
  input: { jobId: string; request: unknown },
  context: {
    config: ModelsConfig;
    database: Database;
    views: ViewStore;
    maxTrainingTimeSeconds: number;
    autoMl: boolean;
    gpuEnabled: boolean;
  },
): Promise<TrainingPlan> {
  const request = parseRequest(trainRequestSchema, input.request);
  const entry = modelDefinition(context.config, request.model_type);
  const featureViews = await planViews(entry, context);
  const definition = withViewFeatures(entry, featureViews);
  const dataset = await findDataset(context.database, request.training_data?.source ?? definition.source);
  const manifest = withViewColumns(dataset.manifest as unknown as DatasetManifest, featureViews);
  const recipe = RECIPES[definition.kind];
  const {
    problems: found,
    filters,
    ...planned
  } = recipe.plan({ definition, request, manifest, autoMl: context.autoMl, gpuEnabled: context.gpuEnabled });
  const problems = [...found, ...checkTrainingData(request, definition, manifest, planned, filters ?? [])];
  const automatic = automaticSearch(
    { definition, request, autoMl: context.autoMl, recipe, settings: planned.settings },
    manifest.rows,
  );
  const asked = request.search ?? definition.search ?? automatic;
  const search = asked
    ? planSearch(asked, recipe, { kind: definition.kind, ...planned, hasTexts: hasTexts(planned, manifest) })
    : undefined;
  problems.push(...(search?.problems ?? []));
  const optimize = (request.optimize ?? definition.optimize) || undefined;
  if (optimize && !recipe.hasVariants)
    problems.push({
      path: 'optimize',
      message: `is for models of tables; a model of the kind ${definition.kind} has none`,
    });
  if (problems.length > 0)
    throw new ServiceError('request_invalid', 'The training request does not fit the model and its data.', problems);
  const isCrossValidated = request.cross_validation && recipe.crossValidate !== undefined;
  return {
    jobId: input.jobId,
    model: definition.name,
    kind: definition.kind,
    ...planned,
    warnings: [
      ...planned.warnings,
      ...(automatic ? [describeAutomaticSearch(automatic)] : []),
      ...(request.cross_validation && !isCrossValidated
        ? [
            {
              path: 'cross_validation',
              message: `was not used: a model of the kind ${definition.kind} is always judged on several origins or on all users`,
            },
          ]
        : []),
      ...(request.auto_deploy && definition.approvals
        ? [
            {
              path: 'auto_deploy',
              message: `was not used: ${definition.name} asks for approvals of each version; deploy it when it has them`,
            },
          ]
        : []),
    ],
    datasetId: dataset.id,
    datasetDigest: dataset.digest,
    startDate: request.training_data?.start_date,
    endDate: request.training_data?.end_date,
    filters: request.training_data?.filters ?? {},
    ...(featureViews.length > 0 ? { featureViews } : {}),
    validationSplit: request.validation_split,
    ...(search?.plan ? { search: { ...search.plan, ...(automatic ? { isAutomatic: true } : {}) } } : {}),
    ...(optimize ? { optimize } : {}),
    crossValidation: isCrossValidated,
    autoDeploy: request.auto_deploy && !definition.approvals,
    fitTimeoutSeconds: context.maxTrainingTimeSeconds,
    codeVersion: releaseVersion(),
  };
}

const hasTexts = ({ features }: Pick<PlannedKind, 'features'>, { columns }: DatasetManifest) =>
  columns.some(({ name, type }) => type === 'string' && features.includes(name));

/** A dataset by its id, or the newest good snapshot of a data type. */
async function findDataset(database: Database, source: string) {
  const dataset = await database.prisma.dataset.findFirst({
    where: source.startsWith('ds_') ? { id: source } : { dataType: source },
    orderBy: { createdAt: 'desc' },
  });
  if (dataset) return dataset;
  throw new ServiceError(
    'dataset_not_found',
    source.startsWith('ds_')
      ? `There is no dataset ${source}. GET /data/datasets lists them.`
      : `There is no dataset of the data type "${source}" yet. Ingest one first: POST /data/ingest {"source": …, "data_type": "${source}"}.`,
  );
}

type Problems = { path: string; message: string }[];

/** Dates need a column that holds times, filters a column of their name. */
function checkTrainingData(
  request: TrainRequest,
  definition: ModelDefinition,
  manifest: DatasetManifest,
  { timestamp }: Pick<PlannedKind, 'timestamp'>,
  ownFilters: readonly string[],
): Problems {
  const { start_date: start, end_date: end, filters = {} } = request.training_data ?? {};
  const problems: Problems = [];
  const dates = Object.entries({ start_date: start, end_date: end }).filter(([, date]) => date !== undefined);
  const time = manifest.columns.find((column) => column.name === timestamp);
  if (!timestamp) {
    const message = `needs a time column; add \`timestamp: <column>\` to the entry ${definition.name}`;
    problems.push(...dates.map(([name]) => ({ path: `training_data.${name}`, message })));
  } else if (dates.length > 0 && time && !['timestamp', 'date'].includes(time.type)) {
    problems.push({
      path: 'model_type',
      message: `the time column ${time.name} of the dataset ${manifest.dataset_id} holds values of the type ${time.type}, not times`,
    });
  }
  const columns = [...ownFilters, ...manifest.columns.map((column) => column.name)];
  for (const name of Object.keys(filters)) {
    if (!columns.includes(name))
      problems.push({
        path: `training_data.filters.${name}`,
        message: `is not a filter of this data; filters: ${columns.join(', ')}`,
      });
  }
  return problems;
}
