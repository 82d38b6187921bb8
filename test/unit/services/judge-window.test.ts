import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Period } from '../../../core/monitoring/choose-reference.js';
import type { Finding } from '../../../core/monitoring/finding.js';
import { driftMonitorSchema } from '../../../core/schemas/drift-monitor.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { DriftSubject } from '../../../services/drift/drift-subject.js';
import { judgeSchema } from '../../../services/drift/judge-schema.js';
import { judgeTogether, periodTogether } from '../../../services/drift/judge-together.js';
import { judgeWindow } from '../../../services/drift/judge-window.js';
import { layOutCells } from '../../../services/drift/lay-out-cells.js';
import { logRows } from '../../../services/drift/side-rows.js';
import { watchedColumns } from '../../../services/drift/watched-columns.js';
import { quoteText, withDuckDb } from '../../../services/duckdb.js';
import type { KeptFinding } from '../../../services/monitors/monitor-findings.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2024, 0, 1);
const day = (at: number, days = 1): Period => ({
  start: new Date(START_MS + at * DAY_MS),
  end: new Date(START_MS + (at + days) * DAY_MS),
});

/** A made-up log: on each day as many rows, with `load` and `twin` that go together, a `plan` and a `note` of its own. */
interface DayLaw {
  load?: number;
  scale?: number;
  twin?: 'with' | 'against';
  plan?: string;
  bad?: number;
  version?: string;
}
const ROWS = 400;
let folder: string;

function rowsOf(at: number, law: DayLaw): string[] {
  const prng = createPrng(9, at);
  return Array.from({ length: ROWS }, (_, row) => {
    const core = prng.nextGaussian();
    const load = (50 + 10 * (core + (law.load ?? 0))) * (law.scale ?? 1);
    const twin = (law.twin === 'against' ? -core : core) + 0.1 * prng.nextGaussian();
    const chance = 1 / (1 + Math.exp(-core));
    const plan = law.plan && prng.next() < 0.4 ? law.plan : ['free', 'pro'][row % 2];
    return JSON.stringify({
      id: `${at}-${row}`,
      version: law.version ?? 'v1.0.0',
      logged_at: new Date(START_MS + at * DAY_MS + row * 60_000).toISOString(),
      features: {
        load: row < (law.bad ?? 0) ? 'much' : load,
        twin,
        plan,
        "o'dd ~/name": row % 7,
        note: `n${at}-${row}`,
      },
      predictions: { label: chance > 0.5 ? 'yes' : 'no', probabilities: { no: 1 - chance, yes: chance } },
      outcome: row % 2 === 0 ? { label: prng.next() < chance ? 'yes' : 'no' } : null,
    });
  });
}

const subject = {
  model: 'shop',
  kind: 'classification',
  version: 'v1.0.0',
  manifest: {
    signature: [
      { name: 'load', type: 'number' },
      { name: 'twin', type: 'number' },
      { name: 'plan', type: 'category' },
      { name: "o'dd ~/name", type: 'number' },
      { name: 'note', type: 'text' },
      { name: 'unused', type: 'ignored (constant)' },
    ],
    heads: [{ name: 'label', task: 'binary', classes: ['no', 'yes'] }],
  },
  isNew: false,
  importance: new Map([
    ['load', 0.7],
    ['plan', 0.3],
  ]),
} as unknown as DriftSubject;
const columns = watchedColumns('classification', subject.manifest);
const settings = driftMonitorSchema.parse({ segments: ['plan'], least_rows: 100 });
const select = (periods: Period[]) => logRows(periods, { version: 'v1.0.0', maturityHours: 0 });

async function openLog(connection: DuckDBConnection, laws: DayLaw[]): Promise<void> {
  const path = join(folder, 'log.ndjson');
  writeFileSync(path, laws.flatMap((law, at) => rowsOf(at, law)).join('\n'));
  await connection.run(`CREATE VIEW log_rows AS SELECT * FROM read_json(${quoteText(path)}, format = 'newline_delimited', columns = {id: 'VARCHAR',
    version: 'VARCHAR', logged_at: 'TIMESTAMPTZ', features: 'JSON', predictions: 'JSON', outcome: 'JSON'})`);
}

/** Judges days one after another against the first five, as runs do. */
function judgeDays(laws: DayLaw[], kind: 'season' | 'first_week' = 'first_week'): Promise<Finding[][]> {
  return withDuckDb(async (connection) => {
    await openLog(connection, [{}, {}, {}, {}, {}, ...laws]);
    const periods = [0, 1, 2, 3, 4].map((at) => day(at));
    const reference = await layOutCells(connection, 'reference', columns, select(periods));
    const earlier: KeptFinding[] = [];
    const found: Finding[][] = [];
    for (const at of laws.keys()) {
      const window = day(5 + at);
      const current = await layOutCells(connection, 'current', columns, select([window]));
      const judged = await judgeWindow(connection, {
        subject,
        window,
        columns,
        sides: { current, reference, slots: periods.length },
        reference: { kind, periods },
        training: undefined,
        settings,
        earlier,
      });
      const schema = await judgeSchema(connection, {
        subject,
        window,
        columns,
        dataTypes: {
          models: new Map([['shop', { source: 'orders' }]]),
          dataTypes: new Map([['orders', { columns: { load: { required: false, unique: false, maximum: 10_000 } } }]]),
        } as never,
      });
      earlier.push(...judged.map((one) => ({ ...one, id: '', foundAt: window.end })));
      found.push([...judged, ...schema]);
    }
    return found;
  });
}

const of = (findings: Finding[], name: string, segment = '') =>
  findings.find((one) => one.subject === name && one.segment === segment)!;
const worse = (findings: Finding[]) =>
  findings
    .filter(({ state }) => state === 'alarm' || state === 'suspect')
    .map((one) => `${one.subject} ${one.segment}`);

describe('a window of the log', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'judge-window-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('that is as before raises nothing, and watches inputs, answers, truths and segments', async () => {
    const days = await judgeDays([{}, {}, {}]);
    for (const found of days) expect(worse(found)).toEqual([]);
    const subjects = days[0]!.map(({ subject: one }) => one);
    expect(new Set(subjects)).toEqual(
      new Set([
        'input:load',
        'input:twin',
        'input:plan',
        "input:o'dd ~/name",
        'input:note',
        'prediction:label',
        'prediction:confidence',
        'label:label',
        'schema',
      ]),
    );
    expect(of(days[0]!, 'input:load')).toMatchObject({ evidence: { rows: ROWS, reference_rows: 5 * ROWS } });
    expect(of(days[0]!, 'label:label')).toMatchObject({ state: 'ok', evidence: { rows: ROWS / 2 } });
    expect(of(days[0]!, 'input:load', 'plan=pro')).toMatchObject({ state: 'ok', evidence: { rows: ROWS / 2 } });
  });

  it('of another unit, with a new value, is an alarm the second time, with its cause and what to do', async () => {
    const law = { scale: 0.001, plan: 'gold' };
    const [first, second] = await judgeDays([law, law]);
    expect(of(first!, 'input:load')).toMatchObject({ state: 'suspect', severity: 'none' });
    expect(of(second!, 'input:load')).toMatchObject({
      state: 'alarm',
      severity: 'high',
      version: 'v1.0.0',
      evidence: {
        season: 'not_known',
        importance: 0.7,
        triage: { cause: 'unit_change', factor: 0.001 },
        advice: 'fix_upstream',
        effects: [{ measure: 'wasserstein_per_deviation', direction: 'down' }],
      },
    });
    expect(of(second!, 'input:plan').evidence).toMatchObject({ triage: { cause: 'new_category', values: ['gold'] } });
    expect(of(second!, 'input:twin').state).toBe('ok');
    expect(of(second!, 'input:load', 'plan=free').state, 'a segment shows it, too').toBe('alarm');
    expect(of(second!, 'input:load', 'plan=gold').state, 'the reference has none of it').toBe('unknown');
  });

  it('tells what the shift costs by the answers alone, and that the season does not explain it', async () => {
    const [, second] = await judgeDays([{ load: 0.6 }, { load: 0.6 }], 'season');
    const { triage, season } = of(second!, 'input:load').evidence as {
      triage: { cause: string; estimated_effects: { head: string; change: number; deviation: number }[] };
      season: string;
    };
    expect(season).toBe('does_not_explain');
    expect(triage.cause).toBe('mean_shift');
    expect(triage.estimated_effects).toMatchObject([{ head: 'label', metric: 'accuracy' }]);
    expect(Math.abs(triage.estimated_effects[0]!.change), 'the chances are as before').toBeLessThan(0.05);
  });

  it('with cells that are no numbers, or beyond what is declared, is of the wrong shape', async () => {
    const [typed, ranged] = await judgeDays([{ bad: 40 }, { scale: 1000 }]);
    expect(of(typed!, 'schema')).toMatchObject({
      monitor: 'data_quality',
      state: 'alarm',
      value: 0.1,
      evidence: { violations: [{ column: 'load', violation: 'wrong_type', rows: 40 }] },
    });
    expect(of(ranged!, 'schema')).toMatchObject({
      severity: 'high',
      evidence: { violations: [{ violation: 'above_maximum', rows: ROWS }] },
    });
  });
});

describe('a week of the log', () => {
  it('in which two columns no longer go together is told by all columns, though none has changed', async () => {
    folder = await mkdtemp(join(tmpdir(), 'judge-week-'));
    await withDuckDb(async (connection) => {
      await openLog(
        connection,
        Array.from({ length: 21 }, (_, at): DayLaw => (at < 7 ? {} : { twin: 'against' })),
      );
      const judge = (window: Period, earlier: KeptFinding[]) =>
        judgeTogether(connection, {
          subject,
          window,
          columns,
          rows: select([window]),
          reference: select([day(0, 7)]),
          earlier,
          leastRows: 100,
        });
      const [first] = await judge(day(7, 7), []);
      expect(first).toMatchObject({ state: 'suspect', subject: 'inputs' });
      expect(first!.value).toBeGreaterThan(0.9);
      const told = first!.evidence['columns'] as { name: string }[];
      expect(
        told
          .slice(0, 2)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['load', 'twin']);
      const [second] = await judge(day(14, 7), [{ ...first!, id: '', foundAt: day(7, 7).end }]);
      expect(second!.state).toBe('alarm');
      const [same] = await judge(day(0, 7), []);
      expect(same!.state).toBe('ok');
    });
    await rm(folder, { recursive: true, force: true });
  });

  it('is judged once a week, and again where its run is repeated', () => {
    const kept = (end: number) =>
      [{ subject: 'inputs', segment: '', state: 'ok', window: day(end - 7, 7) }] as KeptFinding[];
    expect(periodTogether(day(6), [])).toEqual(day(0, 7));
    expect(periodTogether(day(7), kept(7))).toBeUndefined();
    expect(periodTogether(day(13), kept(7))).toEqual(day(7, 7));
  });
});
