import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildUserBehaviorTrainingTable,
  ENGAGEMENT_EVENTS_PER_30_DAYS,
} from '../../../services/features/user-behavior-features.js';
import { bayesCeiling, type Ceiling } from '../../../simulator/bayes-ceiling.js';
import { expectedRocAuc } from '../../../simulator/ceiling-score.js';
import { openFileSink } from '../../../simulator/file-sink.js';
import { buildOutlookTable } from '../../../simulator/outlook.js';
import { projectCeiling } from '../../../simulator/project-ceiling.js';
import { RandomSource } from '../../../simulator/random-source.js';
import { simulatePlatform } from '../../../simulator/simulate-platform.js';
import { checkParameters, dayNumber, isWeekend } from '../../../simulator/simulation-parameters.js';
import { simulateUserLife } from '../../../simulator/user-life.js';
import { activeChance, EXTRA_EVENTS, PACES, PERSONAS, transitionMatrix } from '../../../simulator/user-model.js';

const PARAMETERS = checkParameters({ users: 500, services: 1, items: 10 });
interface Row {
  user_id: string;
  as_of: number;
  churn_flag: boolean;
  engagement_level: string;
  next_activity: string | null;
  habitual_next_activity: string;
  silence_ratio: number;
  days_since_last_event: number;
  events_30: number;
}
let folder: string;
let rows: Row[];
let asOfTimes: string[];
let ceiling: Ceiling;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ceiling-'));
  await simulatePlatform(PARAMETERS, [await openFileSink(folder, ['parquet'])]);
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  const outputFile = join(folder, 'training.parquet');
  ({ asOfTimes } = await buildUserBehaviorTrainingTable({
    connection,
    eventFiles: [join(folder, 'user_events.parquet')],
    outputFile,
  }));
  const result = await connection.runAndReadAll(
    `SELECT * REPLACE (epoch_ms(as_of)::DOUBLE AS as_of) FROM '${outputFile}'`,
  );
  rows = result.getRowObjects() as unknown as Row[];
  connection.closeSync();
  ceiling = bayesCeiling({ parameters: PARAMETERS });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true }));

const share = (of: readonly Row[], is: (row: Row) => boolean): number => of.filter(is).length / of.length;
/** Two standard errors of a share, with users rather than rows as the independent unit. */
const slack = 2 * Math.sqrt(0.25 / PARAMETERS.users);

describe('the ceiling', () => {
  it('is of exactly the rows of the training table', () => {
    expect(ceiling.asOf).toEqual(asOfTimes);
    expect(ceiling.rows).toBe(rows.length);
    expect(ceiling.users).toBe(new Set(rows.map((row) => row.user_id)).size);
    expect(ENGAGEMENT_EVENTS_PER_30_DAYS).toEqual({ medium: 15, high: 60 });
  });

  it('expects the churn, the levels and the activities that happen', () => {
    expect(Math.abs(ceiling.churnRate - share(rows, (row) => row.churn_flag))).toBeLessThan(slack);
    const commonest = share(rows, (row) => row.engagement_level === 'low');
    expect(Math.abs(ceiling.history.engagementLevel.baseline - commonest)).toBeLessThan(slack);
    expect(
      Math.abs(ceiling.history.nextActivity.rows - rows.filter((row) => row.next_activity !== null).length),
    ).toBeLessThan(slack * rows.length);
  });

  it('is higher for who sees the hidden state than for who sees the history, and both beat naming the commonest class', () => {
    for (const head of ['churn', 'engagementLevel', 'nextActivity'] as const) {
      expect(ceiling.latent[head].accuracy).toBeGreaterThan(ceiling.history[head].accuracy);
      expect(ceiling.history[head].accuracy).toBeGreaterThan(ceiling.history[head].baseline);
      expect(ceiling.latent[head].logLoss).toBeLessThan(ceiling.history[head].logLoss);
    }
  });

  it('is not beaten by simple rules, even with their thresholds chosen in hindsight', () => {
    const thresholds = Array.from({ length: 60 }, (_, i) => i / 2);
    const bySilence = Math.max(
      ...thresholds.map((bound) => share(rows, (row) => row.days_since_last_event > bound === row.churn_flag)),
    );
    const byRatio = Math.max(
      ...thresholds.map((bound) => share(rows, (row) => row.silence_ratio > bound === row.churn_flag)),
    );
    expect(Math.max(bySilence, byRatio)).toBeGreaterThan(0.85);
    expect(Math.max(bySilence, byRatio)).toBeLessThan(ceiling.history.churn.accuracy + slack / 2);
    const level = (events: number): string => (events >= 60 ? 'high' : events >= 15 ? 'medium' : 'low');
    expect(share(rows, (row) => level(row.events_30) === row.engagement_level)).toBeLessThan(
      ceiling.history.engagementLevel.accuracy,
    );
    const active = rows.filter((row) => row.next_activity !== null);
    const byHabit = share(active, (row) => row.habitual_next_activity === row.next_activity);
    expect(byHabit).toBeGreaterThan(0.8);
    expect(byHabit).toBeLessThan(ceiling.history.nextActivity.accuracy);
  });

  it('leaves room for 85 % on every head, with churn neither rare nor plain, as the documentation says', () => {
    const published = bayesCeiling({ startDate: '2024-01-01', endDate: '2024-06-01', activeUsersOnly: true });
    expect(published.churnRate).toBeGreaterThan(0.2);
    expect(published.churnRate).toBeLessThan(0.35);
    expect(published.history.churn.accuracy).toBeGreaterThan(0.9);
    expect(published.history.churn.rocAuc).toBeLessThan(0.99);
    expect(published.history.engagementLevel.accuracy).toBeGreaterThan(0.88);
    expect(published.history.nextActivity.accuracy).toBeGreaterThan(0.87);
    const page = readFileSync('docs/explanation/simulator.md', 'utf8').replace(/ +/g, ' ');
    for (const head of ['churn', 'engagementLevel', 'nextActivity'] as const) {
      const { history, latent } = published;
      expect(page).toContain(`| ${history[head].accuracy.toFixed(3)} | ${latent[head].accuracy.toFixed(3)} |`);
    }
    expect(projectCeiling(PARAMETERS).success.accuracy).toBeGreaterThan(0.88);
  }, 30_000);
});

describe('the churn label', () => {
  it('is the fact that the simulated life has no event in the 30 days from the as-of time on', () => {
    for (const row of rows) {
      const life = simulateUserLife(PARAMETERS, Number(row.user_id.slice('user_'.length)) - 1);
      const from = row.as_of / 86_400_000 - life.registeredDay;
      const events = life.counts.subarray(from, from + 30).reduce((sum, count) => sum + count, 0);
      expect(row.churn_flag).toBe(events === 0);
      expect(row.engagement_level).toBe(events >= 60 ? 'high' : events >= 15 ? 'medium' : 'low');
    }
  });
});

describe('an outlook', () => {
  it('agrees with ten thousand simulated horizons from the same state', () => {
    const outlook = buildOutlookTable({ horizonDays: 30, mediumFrom: 15, highFrom: 60 });
    const random = new RandomSource(1, 'outlook');
    const day = dayNumber('2024-03-07');
    const transitions = transitionMatrix(PERSONAS[1]!);
    for (const start of [0, 1, 2, 3]) {
      const seen = { churn: 0, low: 0, high: 0 };
      for (let i = 0; i < 10_000; i += 1) {
        let state = start;
        let events = 0;
        for (let ahead = 0; ahead < 30; ahead += 1) {
          state = random.weighted(transitions[state] ?? []);
          if (random.chance(activeChance(state, isWeekend(day + ahead))))
            events += 1 + random.poisson((EXTRA_EVENTS[state] ?? 0) * PACES[2]);
        }
        if (events === 0) seen.churn += 1e-4;
        if (events < 15) seen.low += 1e-4;
        if (events >= 60) seen.high += 1e-4;
      }
      const exact = outlook(1, 2, day, start);
      // Four standard errors of a share over 10,000 draws.
      for (const [sampled, chance] of [
        [seen.churn, exact.churn],
        [seen.low, exact.levels[0]],
        [seen.high, exact.levels[2]],
      ] as const) {
        expect(Math.abs(sampled - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / 10_000) + 1e-9);
      }
    }
  }, 30_000);
});

describe('the expected area under the ROC curve', () => {
  it('is a half for equal chances, one for certain ones, and the share of pairs in order else', () => {
    expect(expectedRocAuc([0.3, 0.3, 0.3])).toBeCloseTo(0.5, 12);
    expect(expectedRocAuc([0, 1, 0, 1])).toBe(1);
    const chances = [0.1, 0.4, 0.4, 0.9];
    let inOrder = 0;
    let pairs = 0;
    for (const up of chances) {
      for (const down of chances) {
        pairs += up * (1 - down);
        inOrder += up * (1 - down) * (up > down ? 1 : up === down ? 0.5 : 0);
      }
    }
    expect(expectedRocAuc(chances)).toBeCloseTo(inOrder / pairs, 12);
  });
});
