import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import { modelDefinition, type ModelDefinition, type ModelsConfig } from '../training/models-config.js';
import { noteStep } from './note-step.js';
import type { OpenRepair } from './open-repair.js';

/** Heads whose outcome is the target as it stands in the table; of other kinds the table is made of something else than requests. */
const HEAD_OF_KIND: Record<string, string> = { classification: 'label', regression: 'value' };
const MOST_NAME = 63;

/** Where the rows of the repair come from. */
export type RepairData =
  { from: 'log'; ingest: Record<string, unknown> } | { from: 'snapshot'; source: string; startDate?: string };

/**
 * Decides on what the model is trained anew: on predictions since the change whose outcome is known, or on the newest dataset of the model.
 * @throws ServiceError `log_insufficient` where there is neither
 */
export async function planRepairData(
  repair: OpenRepair,
  { database, config }: { database: Database; config: ModelsConfig },
): Promise<RepairData> {
  const definition = modelDefinition(config, repair.model);
  const head = definition.feature_views ? undefined : HEAD_OF_KIND[definition.kind];
  const labelled = head === undefined ? 0 : await countLabelled(database, repair, head);
  const wantsLog = repair.source !== 'snapshot' && head !== undefined;
  if (wantsLog && labelled >= repair.leastRows)
    return { from: 'log', ingest: await ingestRequest(database, repair, definition, head) };
  if (repair.source !== 'log') {
    const snapshot = await findFreshSnapshot(database, repair, definition);
    if (snapshot) return { from: 'snapshot', ...snapshot };
  }
  throw new ServiceError(
    'log_insufficient',
    `There is too little that the model could learn of the world as it is now: ${labelled} predictions ` +
      `${repair.since ? `since ${repair.since} ` : ''}have a known outcome, and ${repair.leastRows} are needed; and there is no newer dataset ` +
      `"${definition.source}". Send outcomes (POST /predictions/{id}/feedback), or ingest new data.`,
  );
}

/** No further than to what is needed: the question is asked again and again while there are too few. */
async function countLabelled(
  { pool }: Database,
  { model, since, leastRows }: OpenRepair,
  head: string,
): Promise<number> {
  const { rows } = await pool.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM (SELECT DISTINCT p.id FROM predictions p JOIN prediction_outcomes o ON o.prediction_id = p.id
     WHERE p.model = $1 AND p.shadow_of IS NULL AND p.created_at >= $2 AND o.outcome ? $3 LIMIT $4) labelled`,
    [model, since ?? new Date(0), head, leastRows],
  );
  return rows[0]!.rows;
}

/** The labelled log as a dataset of a data type of its own, so that it is not taken for the data that the model is trained on otherwise. */
async function ingestRequest(
  { prisma }: Database,
  { model, since, formerVersion }: OpenRepair,
  { target, entity, timestamp }: ModelDefinition,
  head: string,
): Promise<Record<string, unknown>> {
  const version = await prisma.modelVersion.findUniqueOrThrow({
    where: { model_version: { model, version: formerVersion } },
  });
  const { features } = version.signature as unknown as { features: readonly { name: string }[] };
  return {
    source: `predictions:${model}`,
    data_type: `${model.slice(0, MOST_NAME - '_labelled'.length)}_labelled`,
    options: {
      ...(since !== undefined && { start_date: since.slice(0, 10) }),
      schema_changes: 'accept',
      labelled: { head, target, entity, timestamp, since, features: features.map(({ name }) => name) },
    },
  };
}

/** The newest dataset of the model, if it has come since the present version was trained; of one with a time column the rows since the change. */
async function findFreshSnapshot(
  { prisma }: Database,
  { model, since, formerVersion }: OpenRepair,
  { source, timestamp }: ModelDefinition,
): Promise<{ source: string; startDate?: string } | undefined> {
  const version = await prisma.modelVersion.findUniqueOrThrow({
    where: { model_version: { model, version: formerVersion } },
  });
  const newest = await prisma.dataset.findFirst({ where: { dataType: source }, orderBy: { createdAt: 'desc' } });
  if (!newest || newest.createdAt <= version.createdAt) return undefined;
  return { source: newest.id, ...(timestamp !== undefined && since !== undefined && { startDate: since }) };
}

/** Writes down which rows are learnt from. @returns the training request */
export async function noteRepairData(
  { repair, data, datasetId }: { repair: OpenRepair; data: RepairData; datasetId?: string },
  { database: { prisma } }: { database: Database },
): Promise<Record<string, unknown>> {
  const source = datasetId ?? (data.from === 'snapshot' ? data.source : '');
  const dataset = await prisma.dataset.findUniqueOrThrow({ where: { id: source } });
  const what = data.from === 'log' ? 'predictions whose outcome is known' : 'rows of the newest dataset';
  const since = repair.since === undefined ? '' : ` since ${repair.since}`;
  await noteStep(prisma, repair.repairId, 'collected', `It learns from ${dataset.rows} ${what}${since}.`, {
    from: data.from,
    dataset_id: source,
    rows: dataset.rows,
  });
  const startDate = data.from === 'snapshot' ? data.startDate : undefined;
  return {
    ...repair.training,
    model_type: repair.model,
    training_data: { source, ...(startDate !== undefined && { start_date: startDate }) },
  };
}
