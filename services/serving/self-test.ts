import { ServiceError } from '../../core/errors.js';
import type { HeadOutput } from '../../core/kinds/heads.js';
import type { Scorer } from './score-row.js';

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
  for (const [index, row] of golden.entries()) {
    for (const output of scorer.score(row.features)) {
      const expected = row.outputs[output.head] ?? [];
      const actual = numbersOf(output);
      const isEqual =
        actual.length === expected.length && actual.every((value, at) => Math.abs(value - expected[at]!) <= TOLERANCE);
      if (!isEqual) {
        throw new ServiceError(
          'deployment_check_failed',
          `${model} answers golden row ${index + 1}, ${output.head}, with ${JSON.stringify(actual.slice(0, 5))} instead of ${JSON.stringify(expected.slice(0, 5))}.`,
        );
      }
    }
  }
  return { rows: golden.length };
}

function numbersOf(output: HeadOutput): readonly number[] {
  return output.task === 'regression' ? [output.value] : output.probabilities;
}
