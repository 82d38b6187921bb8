import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeSweep } from '../../../services/search/close-sweep.js';
import { beginTrial, noteDraw } from '../../../services/search/trial-table.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;

beforeAll(async () => {
  server = await MigratedDatabase.start();
});
afterAll(() => server?.stop());

const CANCELLED = { state: 'cancelled' as const, reason: 'The job was cancelled.' };
const statesOf = async (sweepId: string) =>
  (await server.database.prisma.sweepTrial.findMany({ where: { sweepId }, orderBy: { index: 'asc' } })).map(
    ({ state, attempts }) => `${state} ${attempts}`,
  );
const drawOf = (sweepId: string, index: number) =>
  ({ sweepId, index, configuration: { depth: index }, source: 'sampler', cacheKey: `${sweepId}/${index}` }) as const;

async function openSweep(id: string): Promise<string> {
  const data = {
    id,
    jobId: id,
    model: 'm',
    state: 'running',
    settings: {},
    plan: {},
    rows: 1,
    schemaDigest: '',
    trials: 9,
  };
  await server.database.prisma.sweep.create({ data });
  return id;
}

describe('trials of a sweep', () => {
  it('are written down before they start, by whoever comes first', async () => {
    const id = await openSweep('first');
    const { database } = server;
    expect(await noteDraw(database, drawOf(id, 0))).toEqual({ depth: 0 });
    expect(await noteDraw(database, { ...drawOf(id, 0), configuration: { depth: 7 } })).toEqual({ depth: 0 });
    expect(await statesOf(id)).toEqual(['running 0']);
    const begun = await beginTrial(database, { ...drawOf(id, 0), configuration: { depth: 8 }, worker: 'a' });
    expect(begun).toMatchObject({ state: 'running', configuration: { depth: 0 } });
    await noteDraw(database, drawOf(id, 0));
    expect(await statesOf(id)).toEqual(['running 1']);
  });

  it('that come after its end are stopped before they begin', async () => {
    const id = await openSweep('late');
    const { database } = server;
    await beginTrial(database, { ...drawOf(id, 0), worker: 'a' });
    await closeSweep({ sweepId: id, end: CANCELLED }, { database });
    expect((await beginTrial(database, { ...drawOf(id, 0), worker: 'a' })).state).toBe('stopped');
    await noteDraw(database, drawOf(id, 1));
    expect((await beginTrial(database, { ...drawOf(id, 1), worker: 'a' })).state).toBe('stopped');
    expect((await beginTrial(database, { ...drawOf(id, 2), worker: 'a' })).state).toBe('stopped');
    expect(await statesOf(id)).toEqual(['stopped 1', 'stopped 0', 'stopped 1']);
  });

  it('that begin while it ends are not left running', async () => {
    const { database } = server;
    for (let round = 0; round < 20; round++) {
      const id = await openSweep(`race-${round}`);
      const begin = (index: number) => beginTrial(database, { ...drawOf(id, index), worker: 'a' });
      await Promise.all([
        ...[0, 1, 2].map(begin),
        closeSweep({ sweepId: id, end: CANCELLED }, { database }),
        ...[3, 4, 5].map(begin),
      ]);
      expect((await statesOf(id)).filter((state) => state.startsWith('running'))).toEqual([]);
    }
  });
});
