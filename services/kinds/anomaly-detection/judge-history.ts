import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import type { AnomalyOptions, SeriesFinding } from '../../../core/kinds/anomaly-detection.js';
import { falseAlarmRate } from '../../../ml/anomaly/conformal-p-value.js';
import { SeriesDetector } from '../../../ml/anomaly/series-detector.js';
import type { AnomalyBody } from './anomaly-model.js';

/** Fewer measurements say nothing of what is usual. */
const LEAST_HISTORY = 30;

/**
 * Watches the history of a request, and then the row itself.
 * @param row one number a feature, NaN = missing
 * @returns undefined without a history, or with one that is too short
 * @throws ServiceError `request_invalid` with a path for each name that is no feature
 */
export function judgeHistory(
  body: AnomalyBody,
  { history, timestamp }: AnomalyOptions,
  row: Float64Array,
): SeriesFinding | undefined {
  if (!history) return undefined;
  requireFeatures(body, history);
  if (history.length < LEAST_HISTORY) return undefined;
  const detector = new SeriesDetector({ columns: body.features.length, memory: history.length + 1 });
  const measured = history.map((one) => ({ time: Date.parse(one.timestamp), one })).sort((a, b) => a.time - b.time);
  for (const { time, one } of measured)
    detector.push(
      Float64Array.from(body.features, (name) => (one[name] as number | null | undefined) ?? NaN),
      time,
    );
  const now = timestamp ? Date.parse(timestamp) : measured.at(-1)!.time + usualStep(measured.map(({ time }) => time));
  const { pValue, columns } = detector.push(row, now);
  return {
    pValue,
    features: columns.map(({ farthest, side }, at) => ({
      feature: body.features[at]!,
      score: farthest / Math.LN10,
      side,
    })),
    expected: Object.fromEntries(
      columns.map(({ expected }, at) => [body.features[at]!, Number.isNaN(expected) ? null : expected]),
    ),
  };
}

/** What a caller should know about the history. */
export function describeHistory({ history, threshold }: AnomalyOptions): FieldProblem[] {
  if (!history) return [];
  const rows = history.length;
  if (rows < LEAST_HISTORY)
    return [
      {
        path: 'history',
        message: `has ${rows} measurements, of ${LEAST_HISTORY} or more something can be said; the features were judged by themselves`,
      },
    ];
  const needed = Math.ceil(2 / falseAlarmRate(threshold));
  if (rows >= needed) return [];
  return [
    {
      path: 'history',
      message: `has ${rows} measurements; to raise an alarm by itself at this threshold it takes about ${needed}`,
    },
  ];
}

function requireFeatures(body: AnomalyBody, history: NonNullable<AnomalyOptions['history']>): void {
  const known = new Set(['timestamp', ...body.features]);
  const problems = history.flatMap((one, at) =>
    Object.keys(one)
      .filter((name) => !known.has(name))
      .map((name) => ({
        path: `history.${at}.${name}`,
        message: 'the model knows no feature of this name: remove it or correct its spelling',
      })),
  );
  if (problems.length > 0)
    throw new ServiceError(
      'request_invalid',
      `The history does not fit the model. Its features: ${body.features.join(', ')}.`,
      problems.slice(0, 20),
    );
}

function usualStep(times: readonly number[]): number {
  const steps = times
    .slice(1)
    .map((time, at) => time - times[at]!)
    .filter((step) => step > 0)
    .sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 0;
}
