import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import { deleteDataset } from '../../../services/retention/apply-retention.js';
import { holdDatasets, releaseDatasets } from '../../../services/retention/dataset-holds.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
});
afterAll(async () => {
  await server?.stop();
});

const create = (id: string) =>
  database.prisma.dataset.create({
    data: { id, dataType: 'raced', jobId: `ingest-${id}`, rows: 1, quarantinedRows: 0, digest: 'd', manifest: {} },
  });
const register = (job: string, lineage: object) =>
  database.prisma.modelVersion.create({
    data: {
      model: 'raced',
      version: `v1.${job}.0`,
      kind: 'classification',
      jobId: job,
      digest: job,
      promotable: true,
      verdict: {},
      parameters: {},
      metrics: {},
      signature: {},
      lineage: lineage as never,
    },
  });
const context = () => ({ database, folders: { datasets: server.folder, modelStaging: server.folder } });

describe('retention beside trainings', () => {
  it('never deletes a dataset that a job holds or a version refers to, in 120 races', async () => {
    const prng = createPrng(5);
    let deleted = 0;
    for (let race = 0; race < 120; race++) {
      const id = `ds_${race}`;
      await create(id);
      const train = async () => {
        await new Promise((resolve) => setTimeout(resolve, prng.next() * 3));
        const held = await holdDatasets(database, String(race), [id]).then(
          () => true,
          () => false,
        );
        // The version may refer to it directly, or through a feature view.
        const inputs = { raced: { dataset_id: id, digest: 'd' } };
        if (held)
          await register(
            String(race),
            race % 2 === 0 ? { dataset_id: id } : { feature_views: [{ view: 'v', version: 1, inputs }] },
          );
        await releaseDatasets(database, String(race));
        return held;
      };
      const [isHeld, ...isDeleted] = await Promise.all([
        train(),
        deleteDataset(id, context()),
        deleteDataset(id, context()),
      ]);
      const isThere = (await database.prisma.dataset.findUnique({ where: { id } })) !== null;
      expect(isThere).toBe(isHeld);
      expect(isDeleted.filter(Boolean)).toHaveLength(isHeld ? 0 : 1);
      if (!isHeld) deleted += 1;
      else expect(await deleteDataset(id, context())).toBe(false);
    }
    // How often either wins depends on the machine.
    expect(deleted).toBeGreaterThan(0);
  });
});
