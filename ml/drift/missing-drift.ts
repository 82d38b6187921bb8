import type { DriftEffect, TestResult } from './column-drift.js';
import { proportionTest } from './proportion-test.js';

interface Shares {
  reference: { hits: number; rows: number };
  current: { hits: number; rows: number };
}

/** Whether more or fewer values are missing; nothing where none ever were. */
export function missingTest({ reference, current }: Shares): TestResult[] {
  const found = reference.hits + current.hits > 0 ? proportionTest(reference, current) : undefined;
  return found ? [{ test: 'missing_rate', statistic: found.z, p_value: found.pValue }] : [];
}

/** How the share of missing values has changed. */
export function missingEffect({ reference, current }: Shares): DriftEffect[] {
  if (reference.hits + current.hits === 0) return [];
  const difference = current.hits / current.rows - reference.hits / reference.rows;
  return [
    {
      measure: 'missing_share',
      size: Math.abs(difference),
      raw: Math.abs(difference),
      direction: difference > 0 ? 'up' : difference < 0 ? 'down' : 'none',
    },
  ];
}
