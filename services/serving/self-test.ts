import { ServiceError } from '../../core/errors.js';
import type { Scorer } from './scorer.js';

/** Answers are computed by the same code from the same bytes, so they must agree but for the last bits. */
const TOLERANCE = 1e-9;

/**
 * Holds a loaded model to the answers that were written down when it was made.
 * @throws ServiceError `deployment_check_failed` that names the row and the head that differ, or says that there are none.
 */
export function selfTest(scorer: Scorer): { rows: number } {
  const { golden, model } = scorer.bundle.manifest;
  if (golden.length === 0)
    throw new ServiceError(
      'deployment_check_failed',
      `${model} has no golden rows, so nothing shows that it answers as it should.`,
    );
  for (const [index, { input, outputs }] of golden.entries()) {
    const answers = scorer.outputs(input);
    for (const [head, expected] of Object.entries(outputs)) {
      const actual = answers[head] ?? [];
      const isEqual =
        actual.length === expected.length &&
        actual.every((value, at) => isClose(value, expected[at]!, scorer.tolerance));
      if (!isEqual) {
        throw new ServiceError(
          'deployment_check_failed',
          `${model} answers golden row ${index + 1}, ${head}, with ${JSON.stringify(actual.slice(0, 5))} instead of ${JSON.stringify(expected.slice(0, 5))}.`,
        );
      }
    }
  }
  return { rows: golden.length };
}

/** Relative for large numbers: an answer can be in bytes as well as in shares. */
function isClose(value: number, expected: number, tolerance = TOLERANCE): boolean {
  return Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected));
}
