import { describe, expect, it } from 'vitest';
import { formatBytes, formatNumber, formatPercent } from '../../../console/parts/format-number.js';

describe('figures of the console', () => {
  it('have four digits, and say so where there is none', () => {
    expect([0.123456, 1234, 12.3456, 0, null, NaN].map(formatNumber)).toEqual([
      '0.1235',
      '1,234',
      '12.35',
      '0',
      '—',
      '—',
    ]);
    expect([0.0000123, 12_345_678.5].map(formatNumber)).toEqual(['1.23e-5', '1.23e+7']);
  });

  it('are shares in percent and bytes in units', () => {
    expect([0.12345, 1, undefined].map(formatPercent)).toEqual(['12.3 %', '100 %', '—']);
    expect([0, 999, 1500, 2_000_000].map(formatBytes)).toEqual(['0 B', '999 B', '1.5 kB', '2 MB']);
  });
});
