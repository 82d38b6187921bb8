import { describe, expect, it } from 'vitest';
import { sayTime } from '../../../infra/local/step-times.mjs';
import { simulateRows } from '../../../simulator/simulate-platform.js';
import { checkParameters } from '../../../simulator/simulation-parameters.js';
import { followSimulation } from '../../../simulator/simulation-progress.js';

describe('the time that a step has to go', () => {
  it.each([
    ['nothing is known', 12, {}, '12 s'],
    ['it ran before', 12, { usual: 60 }, '12 s, about 48 s left'],
    ['it takes longer than before', 75, { usual: 60 }, '1 min 15 s, longer than the usual 1 min 0 s'],
    ['it tells how far it is', 30, { share: 0.25, usual: 60 }, '25 %, 30 s, about 1 min 30 s left'],
    ['it has hardly begun', 1, { share: 0.01, usual: 60 }, '1 %, 1 s, about 59 s left'],
    ['it has hardly begun, for the first time', 1, { share: 0.01 }, '1 %, 1 s'],
  ])('is said only as far as it is known: %s', (_case, elapsed, known, said) => {
    expect(sayTime(elapsed, known)).toBe(said);
  });

  it('of a simulation goes from the rows so far, to the end', () => {
    const parameters = checkParameters({ users: 300, services: 2, start: '2024-03-01' });
    const follow = followSimulation(parameters);
    const shares = [...simulateRows(parameters)].map(follow);
    expect(shares.length).toBeGreaterThan(4);
    expect(shares[0]).toBeGreaterThan(0);
    expect(shares.at(-1)).toBeCloseTo(1, 5);
  });
});
