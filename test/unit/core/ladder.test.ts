import { describe, expect, it } from 'vitest';
import { ladderProblem } from '../../../core/policy/ladder.js';

describe('a ladder', () => {
  it.each([[[1, 5, 10, 25, 50, 100]], [[0.5]], [[100]], [[50]]])('may be %j', (steps) => {
    expect(ladderProblem(steps)).toBeUndefined();
  });

  it.each<[unknown, RegExp]>([
    [[], /list/],
    ['10', /list/],
    [null, /list/],
    [{ length: 2, 0: 1, 1: 2 }, /list/],
    [Array.from({ length: 21 }, (_, at) => at + 1), /list/],
    [[0, 10], /above 0/],
    [[10, NaN], /above 0/],
    [[10, '20'], /above 0/],
    [[10, 101], /at most 100/],
    [[10, 10], /rise/],
    [[20, 10], /rise/],
    [[10, 60, 100], /at most 50/],
  ])('may not be %j', (steps, problem) => {
    expect(ladderProblem(steps)).toMatch(problem);
  });
});
