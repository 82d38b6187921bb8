import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, timestampValue, type DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildUserBehaviorTrainingTable,
  computeUserBehaviorFeatures,
  FeatureInputError,
  USER_BEHAVIOR_COLUMNS,
  USER_BEHAVIOR_FEATURES,
} from '../../../services/features/user-behavior-features.js';
import { RandomSource } from '../../../simulator/random-source.js';
import { oracleFeatures, oracleLabels, oracleSequence, type OracleEvent } from './user-behavior-oracle.js';

const DAY_MS = 86_400_000;
const START = Date.parse('2024-01-01T00:00:00Z');
const TYPES = ['login', 'code_generation', 'code_review', 'commit', 'deployment', 'collaboration', 'ai_chat', 'other'];

let folder: string;
let connection: DuckDBConnection;
let events: OracleEvent[];
let eventFiles: string[];

/** Irregular lives with ties in time, events on midnights, silent months and types outside the known ones. */
function drawEvents(): OracleEvent[] {
  const random = new RandomSource(7, 'feature-test');
  const drawn: OracleEvent[] = [];
  for (let user = 0; user < 40; user += 1) {
    let at = START + random.below(60) * DAY_MS;
    const pace = 0.02 + 3 * random.uniform() ** 3;
    while (at < START + 150 * DAY_MS) {
      drawn.push({
        event_id: `e${drawn.length}`,
        user_id: `u${user}`,
        event_type: TYPES[random.below(random.chance(0.5) ? 3 : TYPES.length)] ?? 'login',
        project_id: random.chance(0.3) ? null : `p${random.below(4)}`,
        at,
      });
      if (random.chance(0.1)) continue;
      if (random.chance(0.05)) at = Math.ceil(at / DAY_MS) * DAY_MS;
      else at += Math.round(-Math.log(1 - random.uniform()) * pace * DAY_MS);
      if (random.chance(0.01)) at += 40 * DAY_MS;
    }
  }
  return drawn;
}

async function writeEvents(name: string, rows: readonly OracleEvent[], zoned = false): Promise<string> {
  const file = join(folder, `${name}.parquet`);
  await connection.run(
    'CREATE OR REPLACE TEMP TABLE written (event_id VARCHAR, user_id VARCHAR, event_type VARCHAR, project_id VARCHAR, occurred_at TIMESTAMP, properties VARCHAR)',
  );
  const appender = await connection.createAppender('written');
  for (const row of rows) {
    for (const text of [row.event_id, row.user_id, row.event_type]) appender.appendVarchar(text);
    if (row.project_id === null) appender.appendNull();
    else appender.appendVarchar(row.project_id);
    appender.appendTimestamp(timestampValue(BigInt(row.at) * 1000n));
    appender.appendVarchar('{}');
    appender.endRow();
  }
  appender.closeSync();
  const columns = zoned ? "* REPLACE (occurred_at AT TIME ZONE 'UTC' AS occurred_at)" : '*';
  await connection.run(`COPY (SELECT ${columns} FROM written) TO '${file}' (FORMAT parquet)`);
  return file;
}

async function readTable(file: string): Promise<Record<string, unknown>[]> {
  const result = await connection.runAndReadAll(
    `SELECT * REPLACE (epoch_ms(as_of) AS as_of) FROM read_parquet('${file}')`,
  );
  return result
    .getRowObjectsJS()
    .map((row) => Object.assign(row, { as_of: Number(row['as_of']), last_ordinal: Number(row['last_ordinal']) }));
}

const outputFile = (name: string): string => join(folder, `${name}.parquet`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'user-behavior-'));
  connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  events = drawEvents();
  const half = Math.floor(events.length / 2);
  eventFiles = [await writeEvents('a', events.slice(half)), await writeEvents('b', events.slice(0, half))];
});
afterAll(() => {
  connection.closeSync();
  rmSync(folder, { recursive: true });
});

describe('the training table of user behaviour', () => {
  it('equals a plain computation from the definitions in every feature and label of every row', async () => {
    const table = await buildUserBehaviorTrainingTable({
      connection,
      eventFiles,
      outputFile: outputFile('all'),
      asOf: { everyDays: 7 },
      lookbackDays: 45,
    });
    const rows = await readTable(outputFile('all'));
    expect(table.asOfTimes.length).toBeGreaterThan(8);
    const expected = table.asOfTimes.flatMap((time) => {
      const asOf = Date.parse(time);
      const users = [...new Set(events.map((event) => event.user_id))].sort();
      return users.flatMap((user) => {
        const features = oracleFeatures(events, user, asOf, 45);
        return features === undefined
          ? []
          : [
              {
                user_id: user,
                as_of: asOf,
                ...features,
                ...oracleLabels(events, user, asOf, 30),
                ...oracleSequence(events, user, asOf, 45),
              },
            ];
      });
    });
    expect(rows).toEqual(expected);
    expect(Object.keys(rows[0] ?? {})).toEqual(USER_BEHAVIOR_COLUMNS);
    expect(table).toMatchObject({ rows: rows.length, users: new Set(rows.map((row) => row['user_id'])).size });
  });

  it('keeps every feature when all events at and after the as-of time are changed or removed', async () => {
    const asOf = '2024-04-01T00:00:00Z';
    const past = events.filter((event) => event.at < Date.parse(asOf));
    const future = events
      .filter((event) => event.at >= Date.parse(asOf))
      .map(({ event_id, user_id, at }) => ({ event_id, user_id, at, event_type: 'deployment', project_id: 'px' }));
    const before = await computeUserBehaviorFeatures({ connection, eventFiles, asOf });
    expect(before.length).toBeGreaterThan(20);
    expect(
      await computeUserBehaviorFeatures({ connection, eventFiles: [await writeEvents('past', past)], asOf }),
    ).toEqual(before);
    expect(
      await computeUserBehaviorFeatures({
        connection,
        eventFiles: [await writeEvents('changed', [...future, ...past])],
        asOf,
      }),
    ).toEqual(before);
  });

  it('gives serving the same features as training, to the bit', async () => {
    const { asOfTimes } = await buildUserBehaviorTrainingTable({
      connection,
      eventFiles,
      outputFile: outputFile('same'),
    });
    const trained = await readTable(outputFile('same'));
    for (const asOf of asOfTimes) {
      const served = await computeUserBehaviorFeatures({ connection, eventFiles, asOf });
      const names = USER_BEHAVIOR_FEATURES.map((feature) => feature.name);
      const pick = (row: Record<string, unknown>): unknown[] => ['user_id', ...names].map((name) => row[name]);
      expect(served.map(pick)).toEqual(trained.filter((row) => row['as_of'] === Date.parse(asOf)).map(pick));
    }
    const [one] = await computeUserBehaviorFeatures({
      connection,
      eventFiles,
      asOf: asOfTimes[0] ?? '',
      userIds: ['u3', 'nobody'],
    });
    expect(one).toEqual(
      (await computeUserBehaviorFeatures({ connection, eventFiles, asOf: asOfTimes[0] ?? '' })).find(
        (row) => row.user_id === 'u3',
      ),
    );
  });

  it('ends every label window within the data and within end_date', async () => {
    const asOf = { startDate: '2024-01-15', endDate: '2024-05-01' };
    const table = await buildUserBehaviorTrainingTable({
      connection,
      eventFiles,
      outputFile: outputFile('range'),
      asOf,
    });
    expect(table.asOfTimes.at(-1)).toBe('2024-04-01T00:00:00.000Z');
    expect(Date.parse(table.asOfTimes[0] ?? '') - 60 * DAY_MS).toBeGreaterThanOrEqual(Date.parse('2024-01-15'));
    const open = await buildUserBehaviorTrainingTable({
      connection,
      eventFiles,
      outputFile: outputFile('open'),
      asOf: { endDate: '2030-01-01' },
    });
    expect(Date.parse(open.asOfTimes.at(-1) ?? '') + 30 * DAY_MS).toBeLessThanOrEqual(
      Math.max(...events.map((event) => event.at)) + 1,
    );
  });

  it('counts no event outside [start_date, end_date)', async () => {
    const inside = events.filter(({ at }) => at >= Date.parse('2024-01-15') && at < Date.parse('2024-05-01'));
    const asOf = { startDate: '2024-01-15', endDate: '2024-05-01' };
    const marker: OracleEvent = {
      event_id: 'z',
      user_id: 'zz',
      event_type: 'login',
      project_id: null,
      at: Date.parse('2024-05-01'),
    };
    await buildUserBehaviorTrainingTable({
      connection,
      eventFiles: [await writeEvents('inside', [...inside, marker])],
      outputFile: outputFile('in'),
      asOf,
    });
    await buildUserBehaviorTrainingTable({ connection, eventFiles, outputFile: outputFile('range2'), asOf });
    expect(await readTable(outputFile('in'))).toEqual(await readTable(outputFile('range2')));
  });

  it('keeps with active_users_only exactly the users with an event in the last 30 days', async () => {
    await buildUserBehaviorTrainingTable({ connection, eventFiles, outputFile: outputFile('every') });
    await buildUserBehaviorTrainingTable({
      connection,
      eventFiles,
      outputFile: outputFile('active'),
      filters: { active_users_only: true },
    });
    const every = await readTable(outputFile('every'));
    const active = every.filter((row) => Number(row['days_since_last_event']) <= 30);
    expect(active.length).toBeLessThan(every.length);
    expect(await readTable(outputFile('active'))).toEqual(active);
  });

  it('reads times with a zone as UTC whatever the time zone of the connection', async () => {
    const plain = await computeUserBehaviorFeatures({ connection, eventFiles, asOf: '2024-04-01' });
    await connection.run("SET TimeZone = 'America/New_York'");
    const zoned = await computeUserBehaviorFeatures({
      connection,
      eventFiles: [await writeEvents('zoned', events, true)],
      asOf: '2024-03-31T20:00:00-04:00',
    });
    await connection.run("SET TimeZone = 'UTC'");
    expect(zoned).toEqual(plain);
  });
});

describe('filters', () => {
  it('keep only the events whose column equals the value, as a bound value and never as SQL', async () => {
    const build = (filters: Record<string, unknown>) =>
      buildUserBehaviorTrainingTable({ connection, eventFiles, outputFile: outputFile('filtered'), filters });
    expect((await build({ project_id: 'p1', event_type: 'login' })).rows).toBeGreaterThan(0);
    const rows = await readTable(outputFile('filtered'));
    expect(rows.every((row) => row['last_activity'] === 'login' && row['project_count'] === 1)).toBe(true);
    expect((await build({ project_id: "p1' OR '1'='1" })).rows).toBe(0);
    expect((await build({ project_id: null })).rows).toBeGreaterThan(0);
  });

  it('refuses an unknown name, saying where it stands and which are known', async () => {
    const request = {
      connection,
      eventFiles,
      outputFile: outputFile('never'),
      filters: { 'plan"; DROP TABLE x': 'pro' },
    };
    const error = await buildUserBehaviorTrainingTable(request).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(FeatureInputError);
    expect(error).toMatchObject({
      path: 'training_data.filters.plan"; DROP TABLE x',
      known: expect.arrayContaining(['active_users_only', 'event_type']),
    });
  });

  it.each([
    [{ filters: { active_users_only: 'yes' } }, 'training_data.filters.active_users_only'],
    [{ filters: { event_type: ['login'] } }, 'training_data.filters.event_type'],
    [{ asOf: { startDate: '01.02.2024' } }, 'training_data.start_date'],
    [{ asOf: { startDate: '2024-03-01', endDate: '2024-03-01' } }, 'training_data.end_date'],
    [{ asOf: { startDate: '2024-04-01', endDate: '2024-05-01' } }, 'training_data'],
    [{ horizonDays: 0 }, 'horizon_days'],
    [{ eventFiles: [] }, 'training_data.source'],
  ])('names the path of what is wrong: %j', async (part, path) => {
    const request = { connection, eventFiles, outputFile: outputFile('never'), ...part };
    await expect(buildUserBehaviorTrainingTable(request)).rejects.toMatchObject({ name: 'FeatureInputError', path });
  });
});
