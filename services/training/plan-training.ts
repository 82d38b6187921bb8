import { ServiceError } from '../../core/errors.js';
import { headsOf } from '../../core/kinds/heads.js';
import type { ModelKind } from '../../core/names.js';
import { forestHyperparametersSchema, type ForestHyperparameters } from '../../core/schemas/model-config.js';
import { trainRequestSchema, type TrainRequest } from '../../core/schemas/training.js';
import { defaultRandomForestParameters } from '../../ml/ensemble/random-forest.js';
import type { Database } from '../database/database.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { USER_BEHAVIOR_FEATURES } from '../features/user-behavior-features.js';
import { parseRequest } from '../parse-request.js';
import { releaseVersion } from '../release-version.js';
import { modelDefinition, type ModelDefinition, type ModelsConfig } from './models-config.js';
import type { TrainingPlan } from './training-plan.js';

const SEED = 42;

/** The learner's own defaults for the kind, under the names of the config. */
function defaultHyperparameters(kind: ModelKind): ForestHyperparameters {
  const isRegression = kind === 'regression';
  const defaults = defaultRandomForestParameters(
    isRegression ? { kind: 'regression' } : { kind: 'classification', classes: 2 },
  );
  return {
    n_estimators: defaults.nEstimators,
    max_depth: defaults.maxDepth,
    min_samples_split: defaults.minSamplesSplit,
    min_samples_leaf: defaults.minSamplesLeaf,
    max_features: defaults.maxFeatures,
    class_weight: defaults.classWeight,
    seed: SEED,
  };
}

/**
 * Checks a training request against the config and the data, and decides everything that the run follows.
 * @throws ServiceError `request_invalid`, `model_not_found` or `dataset_not_found`, each with what to do.
 */
export async function planTraining(
  input: { jobId: string; request: unknown },
  context: { config: ModelsConfig; database: Database; maxTrainingTimeSeconds: number },
): Promise<TrainingPlan> {
  const request = parseRequest(trainRequestSchema, input.request);
  const definition = modelDefinition(context.config, request.model_type);
  const dataset = await findDataset(context.database, request.training_data?.source ?? definition.source);
  const manifest = dataset.manifest as unknown as DatasetManifest;
  const { features, problems } = chooseFeatures(definition, manifest);
  problems.push(...checkTrainingData(request, definition, manifest));
  if (problems.length > 0)
    throw new ServiceError('request_invalid', 'The training request does not fit the model and its data.', problems);
  const { learning_rate: learningRate, ...chosen } = { ...definition.hyperparameters, ...request.hyperparameters };
  return {
    jobId: input.jobId,
    model: definition.name,
    kind: definition.kind,
    algorithm: definition.algorithm,
    hyperparameters: forestHyperparametersSchema.parse({ ...defaultHyperparameters(definition.kind), ...chosen }),
    warnings:
      learningRate === undefined
        ? []
        : [{ path: 'hyperparameters.learning_rate', message: 'was not used: a random forest has no learning rate' }],
    heads: headsOf(definition.kind, definition.target),
    features,
    ...(definition.kind === 'user_behavior'
      ? { entity: 'user_id' }
      : { entity: definition.entity, timestamp: definition.timestamp }),
    datasetId: dataset.id,
    datasetDigest: dataset.digest,
    startDate: request.training_data?.start_date,
    endDate: request.training_data?.end_date,
    filters: request.training_data?.filters ?? {},
    validationSplit: request.validation_split,
    crossValidation: request.cross_validation,
    autoDeploy: request.auto_deploy,
    fitTimeoutSeconds: context.maxTrainingTimeSeconds,
    codeVersion: releaseVersion(),
  };
}

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

function chooseFeatures(
  definition: ModelDefinition,
  manifest: DatasetManifest,
): { features: readonly string[]; problems: Problems } {
  if (definition.kind === 'user_behavior') {
    return { features: definition.features ?? USER_BEHAVIOR_FEATURES.map((feature) => feature.name), problems: [] };
  }
  const columns = manifest.columns.map((column) => column.name);
  const unused = new Set([definition.target, definition.entity, definition.timestamp, ...definition.exclude]);
  const features = definition.features ?? columns.filter((name) => !unused.has(name));
  const needed = [...features, definition.target, definition.entity, definition.timestamp].filter(
    (name) => name !== undefined,
  );
  const problems = needed
    .filter((name) => !columns.includes(name))
    .map((name) => ({
      path: 'model_type',
      message: `the model uses the column ${name}, which the dataset ${manifest.dataset_id} lacks; its columns: ${columns.join(', ')}`,
    }));
  if (features.length === 0) problems.push({ path: 'model_type', message: 'no column is left to learn from' });
  return { features, problems };
}

function checkTrainingData(request: TrainRequest, definition: ModelDefinition, manifest: DatasetManifest): Problems {
  const { start_date: start, end_date: end, filters = {} } = request.training_data ?? {};
  const problems: Problems = [];
  const isTable = definition.kind !== 'user_behavior';
  const dates = Object.entries({ start_date: start, end_date: end }).filter(([, date]) => date !== undefined);
  const time = manifest.columns.find((column) => column.name === definition.timestamp);
  if (isTable && !definition.timestamp) {
    const message = `needs a time column; add \`timestamp: <column>\` to the entry ${definition.name}`;
    problems.push(...dates.map(([name]) => ({ path: `training_data.${name}`, message })));
  } else if (isTable && dates.length > 0 && time && !['timestamp', 'date'].includes(time.type)) {
    problems.push({
      path: 'model_type',
      message: `the time column ${time.name} of the dataset ${manifest.dataset_id} holds values of the type ${time.type}, not times`,
    });
  }
  const columns = [...(isTable ? [] : ['active_users_only']), ...manifest.columns.map((column) => column.name)];
  for (const name of Object.keys(filters)) {
    if (!columns.includes(name))
      problems.push({
        path: `training_data.filters.${name}`,
        message: `is not a filter of this data; filters: ${columns.join(', ')}`,
      });
  }
  return problems;
}
