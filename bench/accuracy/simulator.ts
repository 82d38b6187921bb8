import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainRequestSchema } from '../../core/schemas/training.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import { DATA_FILE, type DatasetManifest } from '../../services/datasets/manifest.js';
import { queryRows, quoteText, withDuckDb } from '../../services/duckdb.js';
import { tabularRecipe } from '../../services/kinds/tabular/recipe.js';
import { projectRoot } from '../../services/project-root.js';
import { createModelsConfigReader, type ModelDefinition } from '../../services/training/models-config.js';
import type { TrainingPlan } from '../../services/training/training-plan.js';
import { bayesCeiling } from '../../simulator/bayes-ceiling.js';
import type { HeadCeiling } from '../../simulator/ceiling-score.js';
import { openFileSink } from '../../simulator/file-sink.js';
import { projectCeiling } from '../../simulator/project-ceiling.js';
import { simulatePlatform } from '../../simulator/simulate-platform.js';
import { DEFAULT_PARAMETERS } from '../../simulator/simulation-parameters.js';
import type { AccuracyRow } from './accuracy-row.js';

/** Share of the ceiling that every head must reach. */
const LEAST_SHARE = 0.97;

/**
 * The simulated platform, learned by `user_behavior` and `project_success` as `models/config.yaml` has them: the accuracy over all
 * rows, each answered by a model of four fifths of the users that theirs is not among, beside the best that any model of the data
 * can be expected to reach.
 */
export async function measureSimulator(): Promise<AccuracyRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'simulated-platform-'));
  try {
    await simulatePlatform(DEFAULT_PARAMETERS, [await openFileSink(folder, ['parquet'])]);
    const { churn, engagementLevel, nextActivity } = bayesCeiling().history;
    const behavior = await measureModel(folder, 'user_behavior');
    const project = await measureModel(folder, 'project_success');
    return [
      compare('churn', behavior['churn_probability']!, churn),
      compare('engagement level', behavior['engagement_level']!, engagementLevel),
      compare('next activity', behavior['next_activity']!, nextActivity),
      compare('project success', project['success_probability']!, projectCeiling(DEFAULT_PARAMETERS).success),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type HeadMetrics = Record<string, MetricEstimate>;

async function measureModel(folder: string, model: string): Promise<Record<string, HeadMetrics>> {
  const config = await createModelsConfigReader(join(projectRoot(), 'models', 'config.yaml'))();
  const definition = config.models.get(model)!;
  const datasetId = definition.source;
  await mkdir(join(folder, datasetId), { recursive: true });
  await rename(join(folder, `${datasetId}.parquet`), join(folder, datasetId, DATA_FILE));
  const plan = await planRun(folder, definition);
  const staging = join(folder, `${model}.staging`);
  await tabularRecipe.buildTable(plan, { datasets: folder, staging });
  const { heads } = await tabularRecipe.crossValidate!(plan, staging, () => {});
  return heads;
}

/** The plan that `POST /models/train {"model_type": …}` gives, without a database to find the dataset in. */
async function planRun(folder: string, definition: ModelDefinition): Promise<TrainingPlan> {
  const columns = await withDuckDb((connection) =>
    queryRows<{ column_name: string }>(
      connection,
      `DESCRIBE SELECT * FROM read_parquet(${quoteText(join(folder, definition.source, DATA_FILE))})`,
    ),
  );
  const manifest = {
    dataset_id: definition.source,
    columns: columns.map(({ column_name: name }) => ({ name })),
  } as DatasetManifest;
  const request = trainRequestSchema.parse({ model_type: definition.name });
  const planned = tabularRecipe.plan({ definition, request, manifest, autoMl: true, gpuEnabled: false });
  return {
    ...planned,
    jobId: 'bench',
    model: definition.name,
    kind: definition.kind,
    datasetId: definition.source,
    datasetDigest: '',
    filters: {},
    validationSplit: request.validation_split,
    crossValidation: true,
    autoDeploy: false,
    fitTimeoutSeconds: Infinity,
    codeVersion: '',
  };
}

function compare(task: string, metrics: HeadMetrics, ceiling: HeadCeiling): AccuracyRow {
  const { value, lower, upper, rows } = metrics['accuracy']!;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return {
    set: `simulated ${task}`,
    task,
    metric: 'accuracy',
    ours: value!,
    standardError: (upper! - lower!) / 3.92,
    peer: `${percent(LEAST_SHARE)} of the ceiling`,
    peerValue: LEAST_SHARE * ceiling.accuracy,
    higherIsBetter: true,
    limit: 0,
    note: `${percent(value! / ceiling.accuracy)} of the ceiling ${ceiling.accuracy.toFixed(4)}, majority ${ceiling.baseline.toFixed(4)}, ${rows} rows`,
  };
}
