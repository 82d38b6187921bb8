import { describe, expect, it } from 'vitest';
import type { BatchColumn } from '../../../ml/preprocess/encode-batch.js';
import {
  encodeColumns,
  expandColumns,
  isColumnFrame,
  type LoggedColumns,
} from '../../../services/serving/column-frame.js';
import {
  createdAtOf,
  ID_LENGTH,
  idInRange,
  newIdRange,
  writeIdRange,
} from '../../../services/serving/prediction-id.js';
import type { AnswerColumn } from '../../../services/serving/scorer.js';

const CALL = { model: 'plans', version: 'v1.2.0', correlationId: 'c-1' };
const FEATURES: BatchColumn[] = [
  { name: 'score', kind: 'numbers', values: Float64Array.of(0.25, NaN, -0, 1e300, 5) },
  { name: 'plan', kind: 'codes', codes: Int32Array.of(1, -1, 0, 1, 0), dictionary: ['free', 'pró "1"'] },
  { name: 'since', kind: 'values', values: [new Date(0), null, 'x', true, undefined] },
];
const PREDICTIONS: AnswerColumn[] = [
  { name: 'label', kind: 'category', codes: Int32Array.of(0, 1, 1, 0, 2), classes: ['a', 'b', 3] },
  { name: 'probabilities.a', kind: 'number', values: Float64Array.of(0.1, 0.2, 0.3, 0.4, 0.5) },
  { name: 'interval.lower', kind: 'number', values: Float64Array.of(1, 2, 3, 4, 5) },
];
const columns: LoggedColumns = {
  rows: 5,
  features: FEATURES,
  predictions: PREDICTIONS,
  entities: { name: 'user_id', kind: 'values', values: ['u1', 2, null, 'u4', 'u5'] },
  latencyUs: 12,
  caller: 'local',
};

describe('predictions of a call as columns', () => {
  const createdMs = 1_700_000_000_000;
  const idPrefix = newIdRange(createdMs);
  const frames = [0, 2, 4].map((start) =>
    encodeColumns(CALL, { idPrefix, createdMs }, columns, start, Math.min(5, start + 2)),
  );
  const rows = frames.flatMap(expandColumns).map((line) => JSON.parse(line) as Record<string, unknown>);

  it('become the rows that single predictions are logged as, whatever frames they went into', () => {
    expect(rows).toHaveLength(5);
    expect(rows[0]).toEqual({
      id: idInRange(idPrefix, 0),
      model: 'plans',
      version: 'v1.2.0',
      entity_id: 'u1',
      features: { score: 0.25, plan: 'pró "1"', since: '1970-01-01T00:00:00.000Z' },
      predictions: { label: 'a', probabilities: { a: 0.1 }, interval: { lower: 1 } },
      latency_us: 12,
      cached: false,
      correlation_id: 'c-1',
      caller: 'local',
      created_at: createdMs,
    });
    expect(rows.map(({ features }) => features)).toEqual([
      { score: 0.25, plan: 'pró "1"', since: '1970-01-01T00:00:00.000Z' },
      { score: null, plan: null, since: null },
      { score: 0, plan: 'free', since: 'x' },
      { score: 1e300, plan: 'pró "1"', since: true },
      { score: 5, plan: 'free', since: null },
    ]);
    expect(rows.map(({ predictions }) => (predictions as { label: unknown }).label)).toEqual(['a', 'b', 'b', 'a', 3]);
    expect(rows.map(({ entity_id: entity }) => entity)).toEqual(['u1', '2', undefined, 'u4', 'u5']);
  });

  it('have the ids that the caller was told, each with the time in it', () => {
    const told = Buffer.from(writeIdRange(idPrefix, 300)).toString('latin1').match(/.{37}/g)!;
    expect(ID_LENGTH).toBe(37);
    expect(told).toHaveLength(300);
    expect(new Set(told).size).toBe(300);
    expect(told.slice(0, 5)).toEqual(rows.map(({ id }) => id));
    expect(told[299]).toBe(idInRange(idPrefix, 299));
    expect(createdAtOf(told[299]!)?.getTime()).toBe(createdMs);
  });

  it('are told from rows of text', () => {
    expect(isColumnFrame(frames[0]!)).toBe(true);
    expect(isColumnFrame(Buffer.from('{"id": 1}\n'))).toBe(false);
  });
});
