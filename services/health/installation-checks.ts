import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../container.js';
import { projectRoot } from '../project-root.js';

type Check = [name: string, affects: string, check: () => Promise<unknown>];

/** What is wrong with an installation although every dependency is up: a schema that is behind, a config file that cannot be read. */
export function installationChecks({
  database,
  readModelsConfig,
}: Pick<Container, 'database' | 'readModelsConfig'>): Check[] {
  return [
    [
      'database_schema',
      'whatever was added since: calls that need it fail',
      async () => {
        const pending = await findPendingMigrations(database.pool);
        if (pending.length > 0) throw new Error(`${pending.length} migrations are pending: ${pending.join(', ')}`);
      },
    ],
    ['models_config', 'training, ingestion and the list of models, until the file is mended', readModelsConfig],
  ];
}

/** Migrations of this release that the database does not have, in their order. */
async function findPendingMigrations(pool: Container['database']['pool']): Promise<string[]> {
  const entries = await readdir(join(projectRoot(), 'prisma', 'migrations'), { withFileTypes: true });
  const { rows } = await pool.query<{ name: string }>(
    'SELECT migration_name AS name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const applied = new Set(rows.map(({ name }) => name));
  return entries
    .filter((entry) => entry.isDirectory() && !applied.has(entry.name))
    .map((entry) => entry.name)
    .sort();
}
