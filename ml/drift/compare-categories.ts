import { chiSquareTest } from './chi-square-test.js';
import { combineTests, describeUntestable } from './column-drift.js';
import type { CategorySample, ColumnDrift, DriftEffect, TestResult } from './column-drift.js';
import { chiSquareTail } from './incomplete-gamma.js';
import { jensenShannon } from './jensen-shannon.js';
import { missingEffect, missingTest } from './missing-drift.js';

const MOST_NAMED = 10;
/** A category is told apart where so many of it are expected in the window. */
const LEAST_EXPECTED = 5;

/**
 * How the categories of a window differ from those of a reference. Categories are told apart where the *reference* has enough of them; the
 * rest, known and unknown, counts as one, so that a column of which every window has new values does not differ from itself. New values are
 * a signal of their own where there are more than the reference lets expect (Good 1953: about as many rows as the share of values that it
 * has once).
 * @param leastRows on each side
 */
export function compareCategories(
  column: string,
  reference: CategorySample,
  current: CategorySample,
  leastRows = 2,
): ColumnDrift {
  const rows = total(current);
  const referenceRows = total(reference);
  const untestable = describeUntestable(column, { rows, referenceRows, leastRows });
  if (untestable) return untestable;
  const missing = {
    reference: { hits: reference.missing, rows: referenceRows },
    current: { hits: current.missing, rows },
  };
  const tests: TestResult[] = [];
  const effects: DriftEffect[] = [];
  const table = countTogether(reference, current);
  const chiSquare = chiSquareTest(table.reference, table.current, LEAST_EXPECTED);
  if (chiSquare) {
    tests.push({ test: 'chi_square', statistic: chiSquare.statistic, p_value: chiSquare.pValue });
    effects.push(moveOf(table));
  }
  const fresh = newValues(reference, current);
  if (fresh.test) tests.push(fresh.test);
  tests.push(...missingTest(missing));
  effects.push(...missingEffect(missing));
  return {
    state: 'compared',
    column,
    kind: 'category',
    rows,
    reference_rows: referenceRows,
    tests,
    p_value: combineTests(tests),
    effects,
    missing: { reference: reference.missing / referenceRows, current: current.missing / rows },
    new_categories: fresh.values,
    moved_categories: moved(reference, current),
  };
}

const total = ({ counts, missing }: CategorySample): number =>
  [...counts.values()].reduce((sum, count) => sum + count, missing);

const present = ({ counts }: CategorySample): number => [...counts.values()].reduce((sum, count) => sum + count, 0);

/** Counts of what the reference has often, and one of all else. */
function countTogether(reference: CategorySample, current: CategorySample) {
  const least = (LEAST_EXPECTED * present(reference)) / Math.max(1, present(current));
  const kept = [...reference.counts].filter(([, count]) => count >= least).map(([value]) => value);
  const side = (sample: CategorySample) => {
    const counts = kept.map((value) => sample.counts.get(value) ?? 0);
    return [...counts, present(sample) - counts.reduce((sum, count) => sum + count, 0)];
  };
  return { reference: side(reference), current: side(current) };
}

function moveOf(table: { reference: number[]; current: number[] }): DriftEffect {
  const { divergence, chance } = jensenShannon(table.reference, table.current);
  return {
    measure: 'jensen_shannon_distance',
    raw: Math.sqrt(divergence),
    size: Math.sqrt(Math.max(0, divergence - chance)),
    direction: 'none',
  };
}

function newValues(reference: CategorySample, current: CategorySample) {
  const fresh = [...current.counts].filter(([value]) => !reference.counts.has(value)).sort(([, a], [, b]) => b - a);
  const found = fresh.reduce((sum, [, count]) => sum + count, 0);
  const rows = present(current);
  const singles = [...reference.counts.values()].filter((count) => count === 1).length;
  // The usual share has an error of its own: one more single is as likely as not.
  const usual = (singles + 1) / (present(reference) + 1);
  const expected = rows * usual;
  const deviation = Math.sqrt(expected * (1 + rows / Math.max(1, present(reference))));
  const z = deviation > 0 ? (found - expected) / deviation : 0;
  const isTestable = found >= LEAST_EXPECTED && present(reference) > 0;
  const test: TestResult | undefined = isTestable
    ? { test: 'new_categories', statistic: z, p_value: z > 0 ? chiSquareTail(z * z, 1) / 2 : 1 }
    : undefined;
  return { test, values: fresh.slice(0, MOST_NAMED).map(([value, count]) => ({ value, share: count / rows })) };
}

function moved(reference: CategorySample, current: CategorySample) {
  const before = Math.max(1, present(reference));
  const now = Math.max(1, present(current));
  return [...new Set([...reference.counts.keys(), ...current.counts.keys()])]
    .map((value) => ({
      value,
      reference: (reference.counts.get(value) ?? 0) / before,
      current: (current.counts.get(value) ?? 0) / now,
    }))
    .sort((a, b) => Math.abs(b.current - b.reference) - Math.abs(a.current - a.reference))
    .slice(0, MOST_NAMED);
}
