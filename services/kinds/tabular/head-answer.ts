import type { HeadOutput } from '../../../core/kinds/heads.js';
import { applyCalibration } from '../../../ml/calibrate/calibration.js';
import type { StoredHead } from './fit-model.js';

/** From the model's own numbers to those that are answered, in place: those of one row, which begin at `at`. */
export function finish({ transform, calibration }: StoredHead, out: Float64Array, at = 0): void {
  if (transform === 'log') out[at] = Math.exp(out[at]!);
  if (calibration) applyCalibration(calibration, out, out, at);
}

/** The class that costs least, by the threshold on the probability of the positive one. */
export const decidedClass = (
  { positive, threshold }: NonNullable<StoredHead['decision']>,
  probabilities: ArrayLike<number>,
): number => (probabilities[positive]! >= threshold ? positive : 1 - positive);

/** What a head says of a row. @param out the finished numbers */
export function readHead(
  { name, task, classes, interval, transform, decision }: StoredHead,
  out: Float64Array,
): HeadOutput {
  if (task !== 'regression') {
    const chosen = decision && decidedClass(decision, out);
    return {
      head: name,
      task,
      classes,
      probabilities: [...out],
      ...(chosen === undefined ? {} : { decision: chosen }),
    };
  }
  const value = out[0]!;
  const { level, halfWidth } = interval ?? { level: 0, halfWidth: 0 };
  // An interval of logarithms is a factor on the value.
  const [lower, upper] =
    transform === 'log'
      ? [value * Math.exp(-halfWidth), value * Math.exp(halfWidth)]
      : [value - halfWidth, value + halfWidth];
  return { head: name, task: 'regression', value, interval: { lower, upper, level } };
}
