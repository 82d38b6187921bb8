import { withDatabase } from '../../services/database/database.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

const answers = [{ status: 200, description: 'The graph', schema: ref('LineageGraph') }];

export const lineageRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/lineage/predictions/{prediction_id}',
    tag: 'Lineage',
    summary: 'What a prediction comes from: version, datasets, parts, sources',
    role: 'viewer',
    answers,
    errors: ['prediction_not_found', 'dependency_unavailable'],
    handle: async (request, _response, context) => {
      // It may still be on the disk of this process.
      await context.predictionLog.flush();
      return withDatabase(() => context.lineage.ofPrediction(pathParameter(request, 'prediction_id')));
    },
  },
  {
    method: 'get',
    path: '/lineage/models/{model}/versions/{version}',
    tag: 'Lineage',
    summary: 'What a version learnt from, and how often it answered',
    role: 'viewer',
    answers,
    errors: ['model_not_found', 'version_not_found', 'dependency_unavailable'],
    handle: async (request, _response, context) => {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      return withDatabase(() => context.lineage.ofVersion(name, pathParameter(request, 'version')));
    },
  },
  {
    method: 'get',
    path: '/lineage/datasets/{dataset_id}',
    tag: 'Lineage',
    summary: 'What was made of a dataset: versions and their predictions',
    role: 'viewer',
    answers,
    errors: ['dataset_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.lineage.ofDataset(pathParameter(request, 'dataset_id'))),
  },
];
