import { basename } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import type { VersionStore } from '../registry/version-store.js';
import { LineageGraph } from './lineage-graph.js';

type VersionRow = Prisma.ModelVersionGetPayload<object>;
type ViewInputs = Record<string, { dataset_id: string; digest: string }>;
/** What a version wrote down of where it comes from. */
interface StoredLineage {
  dataset_id?: string;
  dataset_digest?: string;
  code_version?: string;
  filters?: unknown;
  start_date?: string | null;
  end_date?: string | null;
  feature_views?: { view: string; version: number; digest: string; inputs: ViewInputs }[];
}

const versionId = ({ model, version }: { model: string; version: string }) => `version:${model}/${version}`;
const datasetId = (id: string) => `dataset:${id}`;

/** A dataset has at most so many dependents in an answer; `truncated` says so. */
const MOST_VERSIONS = 500;

/** Where things come from and what was made of them, from what was written down at the time. */
export function createLineageReader(
  { prisma, pool }: Database,
  { versions, datasetsFolder }: { versions: VersionStore; datasetsFolder: string },
) {
  async function addDataset(graph: LineageGraph, id: string, recordedDigest?: string): Promise<void> {
    const row = await prisma.dataset.findUnique({ where: { id } });
    const node = datasetId(id);
    if (!row) {
      graph.add('dataset', node, {
        dataset_id: id,
        deleted: true,
        ...(recordedDigest ? { digest: recordedDigest } : {}),
      });
      return;
    }
    const manifest = row.manifest as unknown as DatasetManifest;
    const detail = {
      dataset_id: id,
      data_type: row.dataType,
      digest: row.digest,
      rows: row.rows,
      quarantined_rows: row.quarantinedRows,
      created_at: row.createdAt.toISOString(),
      // Rows of persons were erased since: the digest is no longer the one that was learnt from.
      redactions: manifest.redactions ?? [],
    };
    if (!graph.add('dataset', node, detail)) return;
    for (const file of await datasetFiles(datasetsFolder, id)) {
      const part = `part:${id}/${basename(file)}`;
      const own = manifest.files?.find(({ name }) => name === basename(file));
      const bytes = manifest.files && manifest.files.length > 1 ? {} : { bytes: manifest.bytes };
      graph.add('part', part, { file: basename(file), digest: own?.digest ?? row.digest, ...bytes });
      graph.link(node, 'has_part', part);
    }
    graph.add('source', `source:${manifest.source}`, { source: manifest.source });
    graph.link(node, 'read_from', `source:${manifest.source}`);
    const type = manifest.lineage?.operation ?? 'ingest';
    graph.add('job', `job:${row.jobId}`, { job_id: row.jobId, type });
    graph.link(node, 'made_by', `job:${row.jobId}`);
    for (const parent of manifest.lineage?.parents ?? []) {
      await addDataset(graph, parent.dataset_id, parent.digest);
      graph.link(node, 'made_of', datasetId(parent.dataset_id));
    }
  }

  function addVersionNode(graph: LineageGraph, row: VersionRow): string {
    const { code_version, start_date, end_date, filters } = row.lineage as StoredLineage;
    const { model, version, digest, state, promotable } = row;
    const created_at = row.createdAt.toISOString();
    const detail = {
      model,
      version,
      digest,
      state,
      promotable,
      code_version,
      start_date,
      end_date,
      filters,
      created_at,
    };
    graph.add('version', versionId(row), detail);
    graph.add('job', `job:${row.jobId}`, { job_id: row.jobId, type: 'train' });
    graph.link(versionId(row), 'made_by', `job:${row.jobId}`);
    return versionId(row);
  }

  async function addVersion(graph: LineageGraph, row: VersionRow): Promise<void> {
    const node = addVersionNode(graph, row);
    const { dataset_id: trainedOn, dataset_digest: digest, feature_views: views = [] } = row.lineage as StoredLineage;
    if (trainedOn !== undefined) {
      await addDataset(graph, trainedOn, digest);
      graph.link(node, 'trained_on', datasetId(trainedOn));
    }
    for (const { view, version, digest: of, inputs } of views) {
      const viewNode = `feature_view:${view}/${version}`;
      graph.add('feature_view', viewNode, { view, version, digest: of });
      graph.link(node, 'joined_with', viewNode);
      for (const input of Object.values(inputs)) {
        await addDataset(graph, input.dataset_id, input.digest);
        graph.link(viewNode, 'reads', datasetId(input.dataset_id));
      }
    }
  }

  async function addPredictionsOf(graph: LineageGraph, { model, version }: VersionRow): Promise<void> {
    const { rows } = await pool.query<{ count: number; first: Date | null; last: Date | null }>(
      'SELECT count(*)::int AS count, min(created_at) AS first, max(created_at) AS last FROM predictions WHERE model = $1 AND version = $2',
      [model, version],
    );
    const { count, first, last } = rows[0]!;
    const node = `predictions:${model}/${version}`;
    graph.add('predictions', node, {
      count,
      first_at: first?.toISOString() ?? null,
      last_at: last?.toISOString() ?? null,
    });
    graph.link(node, 'answered_by', versionId({ model, version }));
  }

  return {
    /** @throws ServiceError `prediction_not_found` */
    async ofPrediction(id: string) {
      const { rows } = await pool.query<{ model: string; version: string; created_at: Date; correlation_id: string }>(
        'SELECT model, version, created_at, correlation_id FROM predictions WHERE id = $1 LIMIT 1',
        [id],
      );
      const found = rows[0];
      if (!found)
        throw new ServiceError(
          'prediction_not_found',
          `There is no logged prediction "${id.slice(0, 100)}". A prediction is there about a second after its answer.`,
        );
      const { model, version, created_at, correlation_id } = found;
      const graph = new LineageGraph(`prediction:${id}`);
      graph.add('prediction', `prediction:${id}`, {
        prediction_id: id,
        created_at: created_at.toISOString(),
        correlation_id,
      });
      graph.link(`prediction:${id}`, 'answered_by', versionId({ model, version }));
      const row = await prisma.modelVersion.findUnique({ where: { model_version: { model, version } } });
      if (row) await addVersion(graph, row);
      else graph.add('version', versionId({ model, version }), { model, version, deleted: true });
      return graph.present();
    },
    /** @throws ServiceError `version_not_found` */
    async ofVersion(model: string, versionOrAlias: string) {
      const row = await versions.find(model, versionOrAlias);
      const graph = new LineageGraph(versionId(row));
      await addVersion(graph, row);
      await addPredictionsOf(graph, row);
      return graph.present();
    },
    /** What was made of a dataset, and where it comes from. @throws ServiceError `dataset_not_found` */
    async ofDataset(id: string) {
      const users = await versionsOfDataset(prisma, id);
      if (users.length === 0 && !(await prisma.dataset.findUnique({ where: { id } })))
        throw new ServiceError(
          'dataset_not_found',
          `There is no dataset "${id.slice(0, 100)}". GET /data/datasets lists them.`,
        );
      const graph = new LineageGraph(datasetId(id));
      await addDataset(graph, id);
      for (const row of users.slice(0, MOST_VERSIONS)) {
        await addVersion(graph, row);
        await addPredictionsOf(graph, row);
      }
      return graph.present();
    },
  };
}

export type LineageReader = ReturnType<typeof createLineageReader>;

/** The versions that learnt from a dataset, directly or through a feature view; newest first. */
export async function versionsOfDataset(prisma: Prisma.TransactionClient, id: string): Promise<VersionRow[]> {
  const found = await prisma.$queryRaw<{ model: string; version: string }[]>`
    SELECT model, version FROM model_versions WHERE lineage->>'dataset_id' = ${id} OR EXISTS (
      SELECT 1 FROM jsonb_array_elements(coalesce(lineage->'feature_views', '[]')) AS used, jsonb_each(used->'inputs') AS input
      WHERE input.value->>'dataset_id' = ${id})`;
  return prisma.modelVersion.findMany({
    where: { OR: found.map(({ model, version }) => ({ model, version })) },
    orderBy: { createdAt: 'desc' },
  });
}
