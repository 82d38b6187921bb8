import { ServiceError } from '../../core/errors.js';
import {
  describeChange,
  evolveSchema,
  type FoundColumn,
  type SchemaChange,
  type SchemaColumn,
} from '../../core/policy/schema-evolution.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import type { DatasetManifest } from '../datasets/manifest.js';

type SchemaRow = Prisma.DataSchemaGetPayload<object>;
type Transaction = Prisma.TransactionClient;

/** Who accepts what needs nobody's word, and what a request for an ingestion accepts itself. */
const BY_RULE = 'rule';
const BY_REQUEST = 'request';

const shown = (row: SchemaRow) => ({
  data_type: row.dataType,
  version: row.version,
  columns: row.columns as unknown as SchemaColumn[],
  changes: row.changes as unknown as SchemaChange[],
  dataset_id: row.datasetId,
  job_id: row.jobId,
  created_at: row.createdAt.toISOString(),
  accepted_at: row.acceptedAt?.toISOString() ?? null,
  accepted_by: row.acceptedBy,
});

const foundColumns = (manifest: DatasetManifest): FoundColumn[] =>
  manifest.columns.map(({ name, type, null_share: empty }) => ({
    name,
    type,
    isEmpty: empty >= 1,
    isInferred: manifest.inferred_columns?.includes(name) ?? false,
  }));

const lock = (transaction: Transaction, dataType: string) =>
  transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`data_schema:${dataType}`}, 0))`;

const currentOf = (transaction: Transaction, dataType: string) =>
  transaction.dataSchema.findFirst({
    where: { dataType, acceptedAt: { not: null } },
    orderBy: [{ acceptedAt: 'desc' }, { version: 'desc' }],
  });

/**
 * Holds a finished snapshot to the schema of its data type, before it is registered. A new column or a wider type is written down as the next
 * version; a lost column or a narrower type is proposed, and stops. Repeatable: the same columns are one version.
 * @returns the warnings
 * @throws ServiceError `schema_changed` with every change, and how to accept them
 */
export async function admitSchema(
  { prisma }: Database,
  { manifest, jobId, acceptsChanges }: { manifest: DatasetManifest; jobId: string; acceptsChanges: boolean },
): Promise<SchemaChange[]> {
  const outcome = await prisma.$transaction(async (transaction) => {
    await lock(transaction, manifest.data_type);
    const current = (await currentOf(transaction, manifest.data_type)) ?? (await writeBaseline(transaction, manifest));
    const found = foundColumns(manifest);
    if (!current) {
      const columns = found.map(({ name, type }) => ({ name, type }));
      await writeSchema(transaction, manifest, jobId, columns, [], BY_RULE);
      return { changes: [], version: 1 };
    }
    const { changes, columns } = evolveSchema(current.columns as unknown as SchemaColumn[], found);
    if (changes.length === 0) return { changes, version: current.version };
    const isHarmless = changes.every(({ verdict }) => verdict === 'warning');
    const acceptedBy = isHarmless ? BY_RULE : acceptsChanges ? BY_REQUEST : undefined;
    const version = await writeSchema(transaction, manifest, jobId, columns, changes, acceptedBy);
    return { changes, version };
  });
  const stops = outcome.changes.filter(({ verdict }) => verdict === 'stop');
  if (stops.length === 0 || acceptsChanges) return outcome.changes;
  throw new ServiceError(
    'schema_changed',
    `The columns of ${manifest.data_type} have changed in a way that others may not expect. If it is meant, accept it: POST /data/schemas/${manifest.data_type}/accept {"version": ${outcome.version}}, and start the job again. Else mend the source.`,
    stops.map((change) => ({ path: `columns.${change.column}`, message: describeChange(change) })),
  );
}

/** Data types that had snapshots before schemas were written down start with that of their newest one. */
async function writeBaseline(transaction: Transaction, manifest: DatasetManifest): Promise<SchemaRow | null> {
  const newest = await transaction.dataset.findFirst({
    where: { dataType: manifest.data_type, id: { not: manifest.dataset_id } },
    orderBy: { createdAt: 'desc' },
  });
  if (!newest) return null;
  const before = newest.manifest as unknown as DatasetManifest;
  const columns = before.columns.map(({ name, type }) => ({ name, type }));
  await writeSchema(transaction, before, newest.jobId, columns, [], BY_RULE);
  return currentOf(transaction, manifest.data_type);
}

/** Writes a version, or finds that of the same columns; accepted from now on where nothing stops it. */
async function writeSchema(
  transaction: Transaction,
  manifest: DatasetManifest,
  jobId: string,
  columns: readonly SchemaColumn[],
  changes: readonly SchemaChange[],
  acceptedBy: string | undefined,
): Promise<number> {
  const { data_type: dataType, dataset_id: datasetId } = manifest;
  const digest = digestOf(columns.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  const acceptance = acceptedBy === undefined ? {} : { acceptedAt: new Date(), acceptedBy };
  const known = await transaction.dataSchema.findUnique({ where: { dataType_digest: { dataType, digest } } });
  const content = { changes: changes as unknown as object[], jobId, datasetId, ...acceptance };
  if (known) {
    await transaction.dataSchema.update({
      where: { dataType_version: { dataType, version: known.version } },
      data: content,
    });
    return known.version;
  }
  const { _max: newest } = await transaction.dataSchema.aggregate({ where: { dataType }, _max: { version: true } });
  const version = (newest.version ?? 0) + 1;
  await transaction.dataSchema.create({
    data: { dataType, version, digest, columns: columns as unknown as object[], ...content },
  });
  return version;
}

/**
 * Somebody takes a proposed schema for the one that holds from now on. Accepting it again changes nothing.
 * @throws ServiceError `schema_not_found`
 */
export async function acceptSchema({ prisma }: Database, dataType: string, version: number, by: string) {
  return prisma.$transaction(async (transaction) => {
    await lock(transaction, dataType);
    const where = { dataType_version: { dataType, version } };
    const row = await transaction.dataSchema.findUnique({ where });
    if (!row)
      throw new ServiceError(
        'schema_not_found',
        `${dataType.slice(0, 63)} has no schema ${version}. GET /data/schemas/${dataType.slice(0, 63)} lists them.`,
      );
    const current = await currentOf(transaction, dataType);
    if (current?.version === version) return { ...shown(row), current: true };
    const data = { acceptedAt: new Date(), acceptedBy: by };
    return { ...shown(await transaction.dataSchema.update({ where, data })), current: true };
  });
}

/** The versions of a data type's schema, the newest first; `current` marks the one that holds. */
export async function listSchemas({ prisma }: Database, dataType: string, page: { limit: number; cursor?: string }) {
  const current = await currentOf(prisma, dataType);
  const versionOf = (cursor: string) => Number(/^\d{1,9}$/.exec(cursor)?.[0] ?? -1);
  const { rows, next_cursor } = await readPage(page, {
    read: (take) =>
      prisma.dataSchema.findMany({
        where: { dataType, ...(page.cursor ? { version: { lte: versionOf(page.cursor) } } : {}) },
        orderBy: { version: 'desc' },
        take,
      }),
    idOf: (row) => String(row.version),
    find: (cursor) =>
      prisma.dataSchema.findUnique({ where: { dataType_version: { dataType, version: versionOf(cursor) } } }),
  });
  if (rows.length === 0 && !page.cursor)
    throw new ServiceError(
      'schema_not_found',
      `The data type "${dataType.slice(0, 63)}" has no schema: nothing of it was ingested yet.`,
    );
  return { items: rows.map((row) => ({ ...shown(row), current: row.version === current?.version })), next_cursor };
}
