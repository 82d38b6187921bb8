import { expect, it } from 'vitest';
import { judgeMemory, type MemorySample } from '../../load/memory-watch.js';

const hourOf = (heapAt: (minute: number) => number): MemorySample[] =>
  Array.from({ length: 720 }, (_, at) => ({ second: 5 * at, residentMib: 300, heapMib: heapAt(at / 12) }));

it('memory that goes up and down, and that grows while the service warms up, is flat', () => {
  expect(judgeMemory(hourOf((minute) => 100 + 40 * Math.sin(minute * 7)))).toEqual([]);
  expect(judgeMemory(hourOf((minute) => 150 - 90 / (1 + minute)))).toEqual([]);
});

it('memory that grows on under a steady load is told, by how much', () => {
  expect(judgeMemory(hourOf((minute) => 100 + minute + 20 * Math.sin(minute * 7)))).toEqual([
    expect.stringMatching(/^the heap of the API grew from 12\d to 15\d MiB$/),
  ]);
});

it('a load of less than five minutes says nothing about memory', () => {
  expect(judgeMemory(hourOf((minute) => 100 * minute).slice(0, 59))).toEqual([]);
  expect(judgeMemory([])).toEqual([]);
});
