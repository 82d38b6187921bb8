import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { describeChange } from '../../core/policy/schema-evolution.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import type { ModelsConfig } from '../training/models-config.js';
import { admitSchema } from './data-schemas.js';
import { declaredExpectations } from './declared-expectations.js';
import { storeReport } from './report-store.js';
import type { ResolveContext } from './resolve-expectations.js';
import { validateDataset } from './validate-dataset.js';

/**
 * Decides whether a finished snapshot may become known: its columns are those of its data type, and it is as that declares. What it says
 * of single rows was held to them before; here it is about the snapshot as a whole. Repeatable.
 * @returns what to tell of a snapshot that is admitted
 * @throws ServiceError `schema_changed`, or `dataset_rejected` with the checks that failed
 */
export async function admitDataset(
  { manifest, jobId, acceptsChanges }: { manifest: DatasetManifest; jobId: string; acceptsChanges: boolean },
  context: ResolveContext & { readModelsConfig: () => Promise<ModelsConfig> },
): Promise<FieldProblem[]> {
  // Its columns follow from what was asked for, or from what was answered, and may differ each time.
  if (manifest.lineage?.operation === 'preprocess' || manifest.source.startsWith('predictions:')) return [];
  const { dataTypes } = await context.readModelsConfig();
  const dataType = dataTypes.get(manifest.data_type);
  const changes = await admitSchema(context.database, { manifest, jobId, acceptsChanges });
  const warnings = changes.map((change) => ({ path: `columns.${change.column}`, message: describeChange(change) }));
  if (!dataType || dataType.expectations.length === 0) return warnings;
  const report = await validateDataset(
    {
      dataset: { id: manifest.dataset_id, dataType: manifest.data_type, manifest, createdAt: new Date() },
      expectations: declaredExpectations(dataType),
      isRequested: false,
      nowMs: Date.now(),
    },
    context,
  );
  await storeReport(context.database, report);
  const failed = report.checks.filter(({ status }) => status === 'failed');
  const told = (severity: 'error' | 'warning') =>
    failed
      .filter((one) => one.severity === severity)
      .map(({ name, message }) => ({ path: `expectations.${name}`, message }));
  if (!report.passed)
    throw new ServiceError(
      'dataset_rejected',
      `The snapshot is not as models/data-types.yaml expects ${manifest.data_type} to be: ${report.errors} check(s) failed. The report: GET /data/validations/${report.report_id}.`,
      told('error'),
    );
  return [...warnings, ...told('warning')];
}
