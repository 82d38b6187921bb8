import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  HOLDOUT_FILES,
  readHoldoutCases,
  readTrainedUnits,
  unitOf,
  writeHoldout,
} from '../../../services/artifacts/frozen-holdout.js';
import { freezeHoldout } from '../../../services/kinds/tabular/freeze-holdout.js';
import type { TrainingTable } from '../../../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';

const ROWS = 1000;

/** Two rows an entity, every fifth entity held out. */
function table(more: Partial<TrainingTable> = {}): TrainingTable {
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  return {
    rows: ROWS,
    features: [
      { name: 'x', values: rows },
      { name: 'day', values: rows.map((row) => (row % 7 === 0 ? null : new Date(row * 86_400_000))) },
    ],
    groups: Int32Array.from(rows, (row) => row >> 1),
    units: Float64Array.from(rows, (row) => unitOf(`e${row >> 1}`)),
    targets: [
      {
        head: { name: 'label', column: 'label', task: 'binary' },
        y: Float64Array.from(rows, (row) => (row % 11 === 0 ? NaN : row % 2)),
        classes: [false, true],
      },
      { head: { name: 'days', column: 'days', task: 'regression' }, y: Float64Array.from(rows), classes: [] },
    ] as TrainingTable['targets'],
    isHeldOut: Uint8Array.from(rows, (row) => Number((row >> 1) % 5 === 0)),
    isInTime: false,
    ...more,
  };
}
const planOf = (entity?: string) =>
  ({ kind: 'classification', entity, settings: { split: 'random' } }) as unknown as TrainingPlan;
const inputOf = (row: number) => ({ features: { x: row } });

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'mlops-holdout-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the holdout that is kept of a version', () => {
  it('has each held-out row with what is known to be true, and the entities that were learnt from', async () => {
    const record = await writeHoldout(folder, freezeHoldout(planOf('customer'), table(), inputOf));
    expect(record).toMatchObject({ rows: ROWS / 5, unit: 'entity', trained_until: null });
    const cases = (await readHoldoutCases(folder, record))!;
    const isTrained = (await readTrainedUnits(folder, record))!;
    expect(cases).toHaveLength(ROWS / 5);
    for (const { unit, input, outcome } of cases) {
      const row = Number(input.features['x']);
      expect((row >> 1) % 5).toBe(0);
      expect(unit).toBe(unitOf(`e${row >> 1}`));
      expect(isTrained(unit)).toBe(false);
      expect(outcome).toEqual(row % 11 === 0 ? { days: row } : { label: row % 2 === 1, days: row });
    }
    for (let entity = 0; entity < ROWS / 2; entity++) expect(isTrained(unitOf(`e${entity}`))).toBe(entity % 5 !== 0);
  });

  it.each([
    [planOf(), 'row'],
    [planOf('customer'), 'entity'],
    [{ ...planOf('customer'), settings: { split: 'time' } }, 'row'],
  ])('says what its numbers stand for', (plan, unit) => {
    const holdout = freezeHoldout(plan, table(), inputOf);
    expect(holdout.unit).toBe(unit);
    expect([...holdout.trainedUnits]).toEqual([...holdout.trainedUnits].toSorted((a, b) => a - b));
  });

  it('of very many units has those with the smallest numbers, and says up to where it knows', async () => {
    const rows = 400_000;
    const numbers = Array.from({ length: rows }, (_, row) => row);
    const big = table({
      rows,
      features: [{ name: 'x', values: numbers }],
      units: Float64Array.from(numbers, (row) => unitOf(String(row))),
      targets: [
        { head: { name: 'days' }, y: Float64Array.from(numbers), classes: [] },
      ] as unknown as TrainingTable['targets'],
      isHeldOut: Uint8Array.from(numbers, (row) => Number(row % 5 === 0)),
    });
    const holdout = freezeHoldout(planOf('customer'), big, inputOf);
    expect(holdout.cases).toHaveLength(20_000);
    expect(holdout.trainedUnits).toHaveLength(200_000);
    const record = await writeHoldout(folder, holdout);
    const isTrained = (await readTrainedUnits(folder, record))!;
    // Every case lies where it is known who was learnt from.
    for (const { unit } of holdout.cases) expect(isTrained(unit)).toBe(false);
    expect(isTrained(2 ** 48)).toBeUndefined();
    const known = numbers.filter((row) => row % 5 !== 0 && isTrained(unitOf(String(row))) === true);
    expect(known).toHaveLength(200_000);
  });

  it.each(Object.values(HOLDOUT_FILES))('is not read when %s was changed', async (file) => {
    const record = await writeHoldout(folder, freezeHoldout(planOf('customer'), table(), inputOf));
    const bytes = readFileSync(join(folder, file));
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(join(folder, file), bytes);
    const read = file === HOLDOUT_FILES.cases ? readHoldoutCases : readTrainedUnits;
    expect(await read(folder, record)).toBeUndefined();
    rmSync(join(folder, file));
    expect(await read(folder, record)).toBeUndefined();
  });
});
