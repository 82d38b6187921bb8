import { ServiceError } from '../../core/errors.js';
import { VERSION_PATTERN } from '../../core/names.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

type VersionRow = Prisma.ModelVersionGetPayload<object>;

/** A version as callers see it. */
export function presentVersion(row: VersionRow, aliases: readonly string[] = []) {
  const metrics = row.metrics as { heads: unknown; cross_validation: unknown; details?: unknown };
  return {
    model: row.model,
    version: row.version,
    kind: row.kind,
    digest: row.digest,
    aliases,
    promotable: row.promotable,
    verdict: row.verdict,
    parameters: row.parameters,
    metrics: metrics.heads,
    cross_validation: metrics.cross_validation,
    details: metrics.details ?? {},
    signature: row.signature,
    lineage: row.lineage,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
  };
}

/** Reads the registry. Every miss says which names are known. */
export function createVersionStore({ prisma }: Database) {
  async function list(model: string, page: { limit: number; cursor?: string }) {
    const { rows, next_cursor } = await readPage(page, {
      read: (take) =>
        prisma.modelVersion.findMany({
          where: { model },
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

  return { list, find };
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
