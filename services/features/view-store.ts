import { ServiceError } from '../../core/errors.js';
import type { FeatureView, ViewVersion } from '../../core/schemas/feature-view.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import type { ModelsConfig } from '../training/models-config.js';

type ViewRow = Prisma.FeatureViewGetPayload<object>;

export interface ViewStoreContext {
  database: Database;
  readModelsConfig: () => Promise<ModelsConfig>;
}

const toVersion = ({ view, version, digest, definition }: ViewRow): ViewVersion => ({
  view,
  version,
  digest,
  definition: definition as unknown as FeatureView,
});

/** Writes a definition down as the next version of its view; one that equals the newest version is that version. */
async function writeVersion(
  { prisma }: Database,
  view: string,
  definition: FeatureView,
  by: { declaredIn: 'file' | 'api'; createdBy: string },
): Promise<ViewRow> {
  const digest = digestOf(definition);
  return prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`view:${view}`}))`;
    const newest = await transaction.featureView.findFirst({ where: { view }, orderBy: { version: 'desc' } });
    if (newest?.digest === digest) return newest;
    return transaction.featureView.create({
      data: { view, version: (newest?.version ?? 0) + 1, digest, definition: definition as never, ...by },
    });
  });
}

/**
 * The views. What counts is the newest version in the database, and versions are never changed. A view that `models/features.yaml` declares
 * belongs to the file: what stands there becomes its newest version as soon as anybody asks for it.
 */
export function createViewStore({ database, readModelsConfig }: ViewStoreContext) {
  const { prisma } = database;

  async function findLatest(view: string): Promise<ViewRow | undefined> {
    const declared = (await readModelsConfig()).featureViews.get(view);
    const newest = await prisma.featureView.findFirst({ where: { view }, orderBy: { version: 'desc' } });
    if (!declared || newest?.digest === digestOf(declared)) return newest ?? undefined;
    return writeVersion(database, view, declared, { declaredIn: 'file', createdBy: 'models/features.yaml' });
  }

  /** @throws ServiceError `feature_view_not_found` */
  async function latest(view: string): Promise<ViewVersion> {
    const row = await findLatest(view);
    if (row) return toVersion(row);
    const known = await names();
    throw new ServiceError(
      'feature_view_not_found',
      `There is no feature view "${view.slice(0, 63)}". ${known.length > 0 ? `Known views: ${known.slice(0, 20).join(', ')}.` : 'Declare one with PUT /features/views/{view}.'}`,
    );
  }

  /** All that there are, in order of their names. */
  async function names(): Promise<string[]> {
    const declared = [...(await readModelsConfig()).featureViews.keys()];
    const stored = await prisma.featureView.findMany({ distinct: ['view'], select: { view: true } });
    return [...new Set([...declared, ...stored.map(({ view }) => view)])].sort();
  }

  /**
   * Declares a view, or its next version. Repeatable.
   * @throws ServiceError `feature_view_conflict` where the view belongs to the file
   */
  async function put(view: string, definition: FeatureView, createdBy: string): Promise<ViewVersion> {
    if ((await readModelsConfig()).featureViews.has(view))
      throw new ServiceError(
        'feature_view_conflict',
        `The view ${view} is declared in models/features.yaml. Change it there; the file is read again by itself.`,
      );
    return toVersion(await writeVersion(database, view, definition, { declaredIn: 'api', createdBy }));
  }

  /** Newest first. */
  const versions = (view: string) => prisma.featureView.findMany({ where: { view }, orderBy: { version: 'desc' } });

  return { latest, names, put, versions };
}

export type ViewStore = ReturnType<typeof createViewStore>;
