import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { lockVersion } from './change-state.js';
import { refuseArchived } from './refuse-unready.js';
import { createVersionStore } from './version-store.js';

/** Follows the traffic by itself. */
const PRODUCTION = 'production';

const present = ({ model, alias, version, updatedAt }: Prisma.ModelAliasGetPayload<object>) => ({
  model,
  alias,
  version,
  updated_at: updatedAt.toISOString(),
});

function refuseProduction(alias: string): void {
  if (alias !== PRODUCTION) return;
  throw new ServiceError(
    'version_conflict',
    'The alias production follows the traffic. Deploy a version, or roll back, to move it.',
  );
}

/**
 * Points an alias at a version; callers that name the alias get that version from then on.
 * @param wanted a version, or another alias of it
 * @throws ServiceError `version_not_found`; `version_conflict` for an archived version, or for the alias production
 */
export async function setAlias(database: Database, model: string, alias: string, wanted: string) {
  refuseProduction(alias);
  const { version } = await createVersionStore(database).find(model, wanted);
  return database.prisma.$transaction(async (transaction) => {
    refuseArchived({ model, version, state: await lockVersion(transaction, { model, version }) });
    const row = await transaction.modelAlias.upsert({
      where: { model_alias: { model, alias } },
      create: { model, alias, version },
      update: { version, updatedAt: new Date() },
    });
    return present(row);
  });
}

/** @throws ServiceError `alias_not_found`; `version_conflict` for the alias production */
export async function deleteAlias({ prisma }: Database, model: string, alias: string): Promise<void> {
  refuseProduction(alias);
  const { count } = await prisma.modelAlias.deleteMany({ where: { model, alias } });
  if (count > 0) return;
  throw new ServiceError(
    'alias_not_found',
    `${model} has no alias "${alias.slice(0, 64)}". GET /models/${model}/aliases lists them.`,
  );
}

export async function listAliases({ prisma }: Database, model: string) {
  const rows = await prisma.modelAlias.findMany({ where: { model }, orderBy: { alias: 'asc' } });
  return { items: rows.map(present), next_cursor: null };
}
