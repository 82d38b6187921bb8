import { ServiceError } from '../../core/errors.js';
import { VERSION_PATTERN } from '../../core/names.js';
import type { VersionState } from '../../core/policy/lifecycle.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

type VersionRow = Prisma.ModelVersionGetPayload<object>;

/** A version as callers see it. */
function presentVersion(row: VersionRow, aliases: readonly string[] = []) {
  const metrics = row.metrics as { heads: unknown; cross_validation: unknown; details?: Record<string, unknown> };
  return {
    model: row.model,
    version: row.version,
    kind: row.kind,
    digest: row.digest,
    aliases,
    state: row.state,
    tags: row.tags,
    promotable: row.promotable,
    verdict: row.verdict,
    parameters: row.parameters,
    metrics: metrics.heads,
    cross_validation: metrics.cross_validation,
    details: metrics.details ?? {},
    optimization: metrics.details?.['optimization'] ?? null,
    signature: row.signature,
    lineage: row.lineage,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
  };
}

export interface VersionFilter {
  /** Without one all but archived versions. */
  state?: VersionState;
  /** `key`, or `key:value`. */
  tag?: string;
}

function whereOf(model: string, { state, tag }: VersionFilter): Prisma.ModelVersionWhereInput {
  const [key, ...rest] = tag?.split(':') ?? [];
  // Every value is a text, and each text begins with the empty one.
  const valued = rest.length > 0 ? { equals: rest.join(':') } : { string_starts_with: '' };
  const tagged = { path: [key!], ...valued };
  return { model, state: state ?? { not: 'archived' }, ...(key === undefined ? {} : { tags: tagged }) };
}

/** Reads the registry. Every miss says which names are known. */
export function createVersionStore({ prisma }: Database) {
  async function list(model: string, page: { limit: number; cursor?: string }, filter: VersionFilter = {}) {
    const { rows, next_cursor } = await readPage(page, {
      read: (take) =>
        prisma.modelVersion.findMany({
          where: whereOf(model, filter),
          orderBy: [{ createdAt: 'desc' }, { version: 'desc' }],
          take,
          ...(page.cursor ? { cursor: { model_version: { model, version: page.cursor } } } : {}),
        }),
      idOf: (row) => row.version,
      find: (version) => prisma.modelVersion.findUnique({ where: { model_version: { model, version } } }),
    });
    const aliases = await prisma.modelAlias.findMany({ where: { model } });
    const aliasesOf = (version: string) =>
      aliases.filter((alias) => alias.version === version).map((alias) => alias.alias);
    return {
      items: rows.map((row) => presentVersion(row, aliasesOf(row.version))),
      next_cursor,
    };
  }

  /** @throws ServiceError `version_not_found` that names the known versions. */
  async function find(model: string, versionOrAlias: string): Promise<VersionRow> {
    let version: string | undefined = versionOrAlias;
    if (!VERSION_PATTERN.test(versionOrAlias)) {
      version = (await prisma.modelAlias.findUnique({ where: { model_alias: { model, alias: versionOrAlias } } }))
        ?.version;
    }
    const row = version ? await prisma.modelVersion.findUnique({ where: { model_version: { model, version } } }) : null;
    if (row) return row;
    const known = await prisma.modelVersion.findMany({
      where: { model },
      select: { version: true },
      orderBy: { createdAt: 'desc' },
      take: 20,
    });
    throw unknownVersion(
      model,
      versionOrAlias,
      known.map((item) => item.version),
    );
  }

  /** The version as callers see it. @throws ServiceError `version_not_found` */
  async function get(model: string, versionOrAlias: string) {
    const row = await find(model, versionOrAlias);
    const aliases = await prisma.modelAlias.findMany({ where: { model, version: row.version } });
    return presentVersion(
      row,
      aliases.map((alias) => alias.alias),
    );
  }

  return { list, find, get };
}

export type VersionStore = ReturnType<typeof createVersionStore>;

export function unknownVersion(model: string, wanted: string, known: readonly string[]): ServiceError {
  const hint =
    known.length > 0
      ? `Known versions: ${known.join(', ')}.`
      : 'It has no versions yet: train one with POST /models/train.';
  return new ServiceError(
    'version_not_found',
    `The model ${model} has no version or alias "${wanted.slice(0, 64)}". ${hint}`,
  );
}
