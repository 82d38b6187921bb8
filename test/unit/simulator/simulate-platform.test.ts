import { describe, expect, it } from 'vitest';
import { INCIDENT_TYPES, resourceSeries } from '../../../simulator/resource-series.js';
import { simulateRows } from '../../../simulator/simulate-platform.js';
import {
  checkParameters,
  dayNumber,
  DAY_MS,
  SimulationInputError,
  type SimulationParameters,
} from '../../../simulator/simulation-parameters.js';
import { SOURCE_TABLES, type SourceRow, type SourceTableName } from '../../../simulator/source-tables.js';
import { EVENT_TYPES } from '../../../simulator/user-model.js';

const SMALL = checkParameters({ users: 120, services: 2 });

function allRows(parameters: SimulationParameters): Record<SourceTableName, SourceRow[]> {
  const rows: Record<SourceTableName, SourceRow[]> = {
    users: [],
    user_events: [],
    projects: [],
    resource_metrics: [],
    item_interactions: [],
  };
  for (const batch of simulateRows(parameters)) rows[batch.table].push(...batch.rows);
  return rows;
}

function column(rows: readonly SourceRow[], table: SourceTableName, name: string) {
  const index = SOURCE_TABLES[table].columns.findIndex((one) => one.name === name);
  return rows.map((row) => row[index] ?? null);
}

const small = allRows(SMALL);

describe('the simulation', () => {
  it('gives identical rows for the same seed and others for another', () => {
    expect(allRows(SMALL)).toEqual(small);
    expect(allRows({ ...SMALL, seed: 43 }).user_events).not.toEqual(small.user_events);
  });

  it('lets each user live the same life however many users there are', () => {
    const fewer = allRows({ ...SMALL, users: 40 });
    for (const table of ['users', 'user_events', 'projects', 'item_interactions'] as const) {
      expect(small[table].slice(0, fewer[table].length)).toEqual(fewer[table]);
    }
  });

  it.each(Object.values(SOURCE_TABLES))('fills $name with cells of the declared types, unique by its key', (table) => {
    const rows = small[table.name];
    expect(rows.length).toBeGreaterThan(50);
    const keys = table.key.map((name) => column(rows, table.name, name));
    expect(new Set(rows.map((_, i) => keys.map((key) => key[i]).join('|'))).size).toBe(rows.length);
    const fits = (cell: unknown, type: string, nullable = false): boolean => {
      if (cell === null) return nullable;
      if (type === 'text' || type === 'json') return typeof cell === 'string';
      return type === 'double' ? Number.isFinite(cell) : Number.isInteger(cell);
    };
    const wrong = rows.filter((row) => !table.columns.every(({ type, nullable }, i) => fits(row[i], type, nullable)));
    expect(wrong).toEqual([]);
  });

  it('puts every event after the registration, within the window and in order, on projects that exist by then', () => {
    const registered = new Map(small.users.map((row) => [row[0], Number(row[1])]));
    const created = new Map(small.projects.map((row) => [row[0], Number(row[2])]));
    const wrong = small.user_events.filter(([, user, type, project, time], i) => {
      const before = small.user_events[i - 1];
      const at = Number(time);
      const isInWindow = at >= dayNumber(SMALL.start) * DAY_MS && at < dayNumber(SMALL.end) * DAY_MS;
      const isRegistered = Math.floor(at / DAY_MS) >= Math.floor((registered.get(user ?? '') ?? Infinity) / DAY_MS);
      const isAfter = before?.[1] !== user || at > Number(before?.[4]);
      const hasProject = project === null || (created.get(project ?? '') ?? Infinity) <= at;
      return !(isInWindow && isRegistered && isAfter && hasProject && EVENT_TYPES.some((known) => known === type));
    });
    expect(wrong).toEqual([]);
  });

  it('leaves a project without outcome exactly while it is open', () => {
    const end = dayNumber(SMALL.end) * DAY_MS;
    const wrong = small.projects.filter((row) => {
      const [outcome, completedAt, actualDays] = row.slice(7);
      const isOpen = outcome === null && completedAt === null && actualDays === null;
      const isFinished = outcome !== null && Number(completedAt) < end && Number(actualDays) >= 1;
      return !isOpen && !isFinished;
    });
    expect(wrong).toEqual([]);
    expect(new Set(small.projects.map((row) => row[7]))).toEqual(new Set(['success', 'failed', null]));
  });

  it('keeps one batch in memory at a time', () => {
    for (const batch of simulateRows(checkParameters({ users: 600, services: 1 })))
      expect(batch.rows.length).toBeLessThan(25_000);
  });
});

describe('resource metrics', () => {
  const rows = [...resourceSeries(checkParameters({ metricsStepMinutes: 60 }), 0)];
  const quiet = rows.filter((row) => row[8] === null);
  const meanCpu = (keep: (date: Date) => boolean): number => {
    const kept = quiet.filter((row) => keep(new Date(Number(row[1]))));
    return kept.reduce((sum, row) => sum + Number(row[2]), 0) / kept.length;
  };

  it('are higher by day than by night and on weekdays than at weekends', () => {
    expect(meanCpu((date) => date.getUTCHours() >= 12 && date.getUTCHours() < 18)).toBeGreaterThan(
      1.2 * meanCpu((date) => date.getUTCHours() < 6),
    );
    expect(meanCpu((date) => date.getUTCDay() % 6 !== 0)).toBeGreaterThan(
      1.1 * meanCpu((date) => date.getUTCDay() % 6 === 0),
    );
  });

  it('label every kind of incident, and each shows in the measure that it is named for', () => {
    const mean = (kept: SourceRow[], i: number): number =>
      kept.reduce((sum, row) => sum + Number(row[i]), 0) / kept.length;
    const shownIn = { cpu_spike: 2, memory_leak: 3, traffic_surge: 6, error_burst: 7 };
    for (const type of INCIDENT_TYPES) {
      const during = rows.filter((row) => row[8] === type);
      expect(mean(during, shownIn[type])).toBeGreaterThan(1.4 * mean(quiet, shownIn[type]));
    }
    expect(quiet.length / rows.length).toBeGreaterThan(0.95);
  });
});

describe('the parameters', () => {
  it.each([
    { users: 0 },
    { users: 1.5 },
    { start: '2024-13-01' },
    { start: '2024-01-01', end: '2024-01-01' },
    { metricsStepMinutes: 7 },
    { items: 1 },
  ])('are refused with the flag and its range: %j', (given) => {
    expect(() => checkParameters(given)).toThrow(SimulationInputError);
    expect(() => checkParameters(given)).toThrow(/^--/);
  });
});
