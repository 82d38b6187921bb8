import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeSweep } from '../../../services/search/close-sweep.js';
import { noteSweep } from '../../../services/search/note-sweep.js';
import { beginNextTrial } from '../../../services/search/begin-next-trial.js';
import { SweepMemory } from '../../../services/search/sweep-memory.js';
import { beginTrial, endTrial, failTrialOf } from '../../../services/search/trial-table.js';
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
const begin = (sweepId: string, index: number, lane = 'a', isBegun = false) =>
  beginTrial(server.database, { ...drawOf(sweepId, index), worker: 'w', lane, isBegun });
const note = (sweepId: string, revision: number, more: { isPaused?: boolean; trials?: number }) =>
  noteSweep({ sweepId, revision, isPaused: false, trials: 9, ...more }, { database: server.database });

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
  it('are begun by one lane each, and by that again after it was interrupted, with the draw that stands', async () => {
    const id = await openSweep('first');
    expect(await begin(id, 0)).toEqual({ depth: 0 });
    expect(await begin(id, 0, 'b')).toBeUndefined();
    const other = { ...drawOf(id, 0), configuration: { depth: 8 }, worker: 'w', lane: 'a', isBegun: true };
    expect(await beginTrial(server.database, other)).toEqual({ depth: 0 });
    expect(await statesOf(id)).toEqual(['running 2']);
  });

  it('begin in the order of their numbers, whichever lane comes first, and wait for those that they follow from', async () => {
    const id = await openSweep('lanes');
    const search = { sampler: 'random', space: { depth: { type: 'int', low: 1, high: 9 } }, seed: 1, parallelism: 2 };
    await server.database.prisma.sweep.update({ where: { id }, data: { plan: { search, jobId: id } as never } });
    const { database } = server;
    // Each worker has read what it has read.
    const context = () => ({ database, memory: new SweepMemory(database) });
    const next = async (lane: string, of = context()) => {
      const found = await beginNextTrial({ sweepId: id, lane, worker: 'w' }, of);
      return 'end' in found ? found : found.index;
    };
    const both = context();
    expect(new Set(await Promise.all(['a', 'b'].map((lane) => next(lane))))).toEqual(new Set([0, 1]));
    expect(await next('c')).toEqual({ end: 'blocked', begun: 2 });
    const [row] = await database.prisma.sweepTrial.findMany({ where: { sweepId: id, lane: 'b' } });
    expect(await next('b', both), 'its own, again').toBe(row!.index);
    const done = { state: 'completed' as const, reports: [], losses: [1], metrics: {}, seconds: 0 };
    await endTrial(database, id, 1, done);
    expect(await next('c'), 'the first still runs').toEqual({ end: 'blocked', begun: 2 });
    await endTrial(database, id, 0, done);
    const begun = await Promise.all(['c', 'd', 'e'].map((lane) => next(lane)));
    expect(new Set(begun.filter((one) => typeof one === 'number'))).toEqual(new Set([2, 3]));
  });

  it('of a sweep that is paused or out of trials do not begin, while those under way may be taken up again', async () => {
    const id = await openSweep('paused');
    await begin(id, 0);
    await note(id, 1, { isPaused: true });
    expect(await begin(id, 1)).toBeUndefined();
    expect(await begin(id, 0, 'a', true)).toEqual({ depth: 0 });
    await note(id, 2, { trials: 1 });
    expect(await begin(id, 1)).toBeUndefined();
    await note(id, 3, { trials: 2 });
    expect(await begin(id, 1)).toEqual({ depth: 1 });
    await expect(note(id, 4, { trials: 1 })).rejects.toThrow(/2 trials have begun already/);
  });

  it('of several objectives are at most a thousand', async () => {
    const id = await openSweep('several');
    const settings = { objectives: ['loss', 'model_bytes'].map((metric) => ({ metric, direction: 'minimize' })) };
    await server.database.prisma.sweep.update({ where: { id }, data: { settings } });
    await expect(note(id, 1, { trials: 1001 })).rejects.toMatchObject({ code: 'request_invalid' });
    await note(id, 2, { trials: 1000 });
  });

  it('fail with their lane, and no others do', async () => {
    const id = await openSweep('poisoned');
    await begin(id, 0);
    await begin(id, 1, 'b');
    await failTrialOf(server.database, id, 'b', 'It could not be run.');
    expect(await statesOf(id)).toEqual(['running 1', 'failed 1']);
  });

  it('do not begin once it is over', async () => {
    const id = await openSweep('late');
    await begin(id, 0);
    await closeSweep({ sweepId: id, end: CANCELLED }, { database: server.database });
    expect(await begin(id, 0, 'a', true)).toBeUndefined();
    expect(await begin(id, 1)).toBeUndefined();
    expect(await statesOf(id)).toEqual(['stopped 1']);
  });

  it('that begin while it ends are not left running', async () => {
    const { database } = server;
    for (let round = 0; round < 20; round++) {
      const id = await openSweep(`race-${round}`);
      await Promise.all([
        ...[0, 1, 2].map((index) => begin(id, index)),
        closeSweep({ sweepId: id, end: CANCELLED }, { database }),
        ...[3, 4, 5].map((index) => begin(id, index)),
      ]);
      expect((await statesOf(id)).filter((state) => state.startsWith('running'))).toEqual([]);
    }
  });
});
