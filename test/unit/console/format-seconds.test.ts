import { expect, it } from 'vitest';
import { formatSeconds } from '../../../console/parts/format-seconds.js';

it('says times in whole units, each of them below the next', () => {
  expect([0.04, 9.94, 9.96, 59.4, 59.7, 60, 3599.7, 3600, 7199].map(formatSeconds)).toEqual([
    '0.0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '1 min 0 s',
    '1 h 0 min',
    '1 h 0 min',
    '1 h 59 min',
  ]);
  expect([null, undefined, Number.NaN].map(formatSeconds)).toEqual(['—', '—', '—']);
});
