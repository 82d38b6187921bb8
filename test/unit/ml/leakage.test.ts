import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { dataDir } from '../../../bench/linear-tables.js';
import { findLeakage } from '../../../ml/evaluate/leakage.js';
import type { LeakageInput } from '../../../ml/evaluate/leakage.js';
import { createPrng, shuffle } from '../../../ml/random/prng.js';

const BINARY = { kind: 'classification', classes: 2 } as const;
const ROWS = 1500;
const prng = createPrng(21);
const signal = Float64Array.from({ length: ROWS }, () => prng.nextGaussian());
const targets = signal.map((value) => (value + prng.nextGaussian() > 0 ? 1 : 0));
const isHeldOut = Uint8Array.from(signal, (_, row) => (row % 4 === 0 ? 1 : 0));
const noise = Array.from(signal, () => prng.nextGaussian());

function found(columns: Record<string, readonly unknown[]>, changes: Partial<LeakageInput> = {}): string[] {
  const list = Object.entries(columns).map(([name, values]) => ({ name, values }));
  const warnings = findLeakage({ columns: list, targets, task: BINARY, isHeldOut, ...changes });
  for (const { message, evidence } of warnings) {
    expect(message.length).toBeGreaterThan(40);
    expect(Object.values(evidence).every(Number.isFinite)).toBe(true);
  }
  return warnings.map(({ kind, column }) => `${kind} ${column}`);
}

describe('a search for leaks', () => {
  it('says nothing about honest columns', () => {
    const half = Array.from(signal, (value, row) => value + noise[row]!);
    const amounts = Array.from(half, (value) => Math.round(1e6 * Math.exp(value)));
    const gaps = noise.map((value) => (value > 1 ? null : value));
    expect(
      found({ half, other: half.map((v, row) => v + noise[ROWS - 1 - row]!), amounts, gaps }, { modelScore: 0.8 }),
    ).toEqual([]);
  });

  it('finds a column that alone nearly is the answer, as a number or a category', () => {
    const copy = Array.from(targets, (target, row) => (row % 201 === 0 ? 1 - target : target) + 0.01 * noise[row]!);
    const word = Array.from(targets, (target, row) => (target === 1 ? ['won', 'paid'] : ['lost', 'gone'])[row % 2]);
    expect(found({ copy, word, noise })).toEqual(['predicts_alone word', 'predicts_alone copy']);
  });

  it('finds a column that does what the whole model does, and asks about one that does most of it', () => {
    const score = 0.86;
    const weak = noise;
    expect(found({ strong: Array.from(signal), weak }, { modelScore: 0.84 })).toEqual(['carries_the_model strong']);
    const good = Array.from(signal, (value, row) => value + 0.7 * noise[(row + 7) % ROWS]!);
    expect(found({ good, weak }, { modelScore: score })).toEqual(['dominates good']);
  });

  it('finds a target in other units for a regression', () => {
    const amount = Float64Array.from(signal, (value, row) => Math.exp(value + noise[row]!));
    const cents = Array.from(amount, (value) => Math.round(100 * value));
    expect(found({ cents, noise }, { targets: amount, task: { kind: 'regression' } })).toContain(
      'predicts_alone cents',
    );
    expect(found({ signal: Array.from(signal), noise }, { targets: amount, task: { kind: 'regression' } })).toEqual([]);
  });

  it('finds names and counters of rows, in order or shuffled', () => {
    const counter = Array.from(signal, (_, row) => 5000 + 3 * row);
    const shuffled = shuffle([...counter], createPrng(1));
    const names = counter.map((value) => `user-${value}`);
    const kinds = found({ counter, shuffled, names, noise });
    expect(kinds).toEqual(['looks_like_id counter', 'looks_like_id shuffled', 'looks_like_id names']);
  });

  it('finds a column that is only filled in once the answer is known', () => {
    const reason = Array.from(targets, (target, row) =>
      target === 1 && row % 3 > 0 ? ['price', 'move'][row % 2] : null,
    );
    expect(found({ reason, noise })).toContain('missing_predicts reason');
  });

  it('counts held-out rows that have a twin in training', () => {
    const a = noise.map((value, row) => (row === 4 ? noise[5] : value));
    const b = noise.map((value, row) => (row === 4 ? String(noise[5]) : value));
    const list = [a, b].map((values, i) => ({ name: `c${i}`, values }));
    const warnings = findLeakage({ columns: list, targets, task: BINARY, isHeldOut });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.evidence).toEqual({ duplicates: 1, held_out: 375 });
  });

  it('gives an empty list where there is nothing to look at, and refuses what does not fit', () => {
    expect(found({}, { targets: new Float64Array(0), isHeldOut: [] })).toEqual([]);
    expect(found({ noise }, { targets: new Float64Array(ROWS).fill(NaN) })).toEqual([]);
    expect(found({ noise }, { targets: new Float64Array(ROWS) })).toEqual([]);
    expect(found({ same: noise.map(() => 1) })).toEqual(['duplicate_rows null']);
    expect(() => found({ noise: [1, 2] })).toThrow(/one entry a row: there are 1500 targets/);
  });
});

describe.skipIf(!existsSync(dataDir))(`on real tables (in ${dataDir}; skipped where it is absent)`, () => {
  /** What is found on a table with a fifth of its rows held out. */
  const kindsIn = (
    file: string,
    target: string,
    isPositive: (value: string) => boolean,
    modelScore: number,
  ): string[] => {
    const [header, ...lines] = gunzipSync(readFileSync(join(dataDir, file)))
      .toString('utf8')
      .trim()
      .split(/\r?\n/);
    const cells = lines.map((line) => line.split(','));
    const columns = header!.split(',').map((name, i) => ({ name, values: cells.map((row) => row[i]!) }));
    const labels = columns.find(({ name }) => name === target)!.values;
    return findLeakage({
      columns: columns.filter(({ name }) => name !== target),
      targets: Float64Array.from(labels, (value) => (isPositive(value) ? 1 : 0)),
      task: BINARY,
      isHeldOut: Uint8Array.from(labels, (_, row) => (row % 5 === 0 ? 1 : 0)),
      modelScore,
    }).map(({ kind, column }) => `${kind} ${column}`);
  };

  // Both are known too late, but far from perfect: they can be asked about, not proven. The scores are LightGBM's.
  it('asks about the length of a call and the value of pages, which are known too late', () => {
    expect(kindsIn('bank_marketing.csv.gz', 'Class', (value) => value === '2', 0.937)).toContain('dominates V12');
    const shoppers = kindsIn('online_shoppers.csv.gz', 'Revenue', (value) => /^(?:1|true)$/i.test(value), 0.933);
    expect(shoppers).toContain('dominates PageValues');
    expect(shoppers).toContain('duplicate_rows null');
  });

  it('finds no leak among the features of telco customers', () => {
    expect(kindsIn('telco_churn.csv.gz', 'Churn', (value) => value === 'Yes', 0.845)).toEqual([
      'looks_like_id customerID',
    ]);
  });
});
