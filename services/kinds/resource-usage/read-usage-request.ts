import { invalidFeatures } from '../../serving/invalid-features.js';
import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import { forecastOptionsSchema, type ForecastOptions } from '../../../core/kinds/resource-usage.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { trendOf } from '../../../ml/forecast/current-value-model.js';
import { layOnGrid } from './lay-on-grid.js';
import type { StoredSeries, UsageBody } from './usage-model.js';

/** What is known of now: by measure and fact, NaN where it is not. */
export interface KnownNow {
  now: number[];
  facts: number[];
  trend: number;
}

/** What a forecast goes by, and what the caller should know about it. */
export type UsageRequest = { horizon: number; warnings: FieldProblem[] } & (
  | { source: 'series'; series: StoredSeries; known: KnownNow }
  | { source: 'history'; columns: Float64Array[]; nextMs: number; known: KnownNow }
  | { source: 'features'; known: KnownNow; nextMs?: number }
);

const refuse = (detail: string, problems: FieldProblem[]): ServiceError =>
  new ServiceError('request_invalid', detail, problems);

/**
 * Checks a request against the model: a history goes before a stored series, and that before features alone.
 * @throws ServiceError `request_invalid` with a path for each thing that does not fit
 */
export function readUsageRequest(body: UsageBody, input: ScoreInput): UsageRequest {
  const options = forecastOptionsSchema.parse(input.options ?? {});
  const known = readFeatures(body, input.features);
  if (options.history) return readHistory(body, options, options.history, known);
  const horizon = options.forecast_horizon;
  const given = Object.keys(input.features).length > 0;
  if (input.entityId === undefined) {
    if (given) return { source: 'features', horizon, known, warnings: describeUnknown(body, known) };
    throw refuse('There is nothing to forecast from: give a series_id, a history or features.', [
      { path: 'features', message: `give one of series_id, history and features (${namesOf(body).join(', ')})` },
    ]);
  }
  const series = body.series.find(({ id }) => id === input.entityId);
  if (series) {
    const warnings: FieldProblem[] = given
      ? [{ path: 'features', message: 'were not used: the stored series knows more about itself' }]
      : [];
    series.measures.forEach((measure, at) => {
      const path = `${body.measures[at]!.name}_usage`;
      if (measure.kind === 'refused') warnings.push({ path, message: `rests on no history: ${measure.reason}` });
      if (measure.kind === 'fitted' && measure.reason) warnings.push({ path, message: measure.reason });
    });
    return { source: 'series', horizon, series, known, warnings };
  }
  const examples = body.series.slice(0, 8).map(({ id }) => id);
  const message = `there was no series ${JSON.stringify(input.entityId)} in training; known: ${examples.join(', ')}${body.series.length > 8 ? ', …' : ''}`;
  if (!given) throw refuse('The model does not know this series.', [{ path: 'series_id', message }]);
  const warnings = [{ path: 'series_id', message: `${message}; forecast from the features alone` }];
  return { source: 'features', horizon, known, warnings: [...warnings, ...describeUnknown(body, known)] };
}

const namesOf = (body: UsageBody): string[] => [
  ...body.measures.map(({ name }) => `current_${name}`),
  ...body.facts,
  'trend',
];

function readFeatures(body: UsageBody, features: ScoreInput['features']): KnownNow {
  const names = namesOf(body);
  const problems: FieldProblem[] = Object.keys(features)
    .filter((name) => !names.includes(name))
    .map((name) => ({
      path: `features.${name}`,
      message: `the model knows no feature of this name; its features: ${names.join(', ')}`,
    }));
  const read = (name: string): number => {
    const value = Object.hasOwn(features, name) ? features[name] : null;
    if (value === null || value === undefined) return NaN;
    if (typeof value === 'number') return value;
    problems.push({ path: `features.${name}`, message: `must be a number or null, got ${JSON.stringify(value)}` });
    return NaN;
  };
  const known = {
    now: body.measures.map(({ name }) => read(`current_${name}`)),
    facts: body.facts.map(read),
    trend: read('trend'),
  };
  if (problems.length > 0) throw invalidFeatures(problems, names);
  return known;
}

function describeUnknown(body: UsageBody, { now }: KnownNow): FieldProblem[] {
  return body.measures.flatMap(({ name }, at) =>
    Number.isNaN(now[at]!)
      ? [{ path: `features.current_${name}`, message: 'was not given: the mean of the training data stands in' }]
      : [],
  );
}

function readHistory(
  body: UsageBody,
  { forecast_horizon: horizon }: ForecastOptions,
  history: NonNullable<ForecastOptions['history']>,
  given: KnownNow,
): UsageRequest {
  const names = body.measures.map(({ name }) => name);
  const known = new Set(['timestamp', ...names, ...body.facts]);
  const problems: FieldProblem[] = [];
  history.forEach((point, i) => {
    for (const key of Object.keys(point))
      if (!known.has(key) && problems.length < 20)
        problems.push({
          path: `history.${i}.${key}`,
          message: `is no measure of the model; its measures: ${names.join(', ')}`,
        });
  });
  if (problems.length > 0) throw refuse('The history has values that the model does not know.', problems);
  const times = Float64Array.from(history, ({ timestamp }) => Date.parse(timestamp));
  const valueOf =
    (name: string) =>
    (point: (typeof history)[number]): number =>
      typeof point[name] === 'number' ? point[name] : NaN;
  const raw = [...names, ...body.facts].map((name) => Float64Array.from(history, valueOf(name)));
  if (raw.slice(0, names.length).every((values) => values.every(Number.isNaN)))
    throw refuse('The history has no value of any measure.', [
      { path: 'history', message: `give numbers by measure: ${names.join(', ')}` },
    ]);
  const grid = layOnGrid(times, raw, body.stepMs);
  const needed = 2 * (body.seasons[0] ?? 5);
  const steps = grid?.columns[0]?.length ?? 1;
  const lastMs = times.reduce((latest, time) => Math.max(latest, time), -Infinity);
  const nextMs = grid ? grid.startMs + steps * body.stepMs : lastMs + body.stepMs;
  const columns = grid?.columns ?? raw;
  const now = readNow(body, columns, given);
  if (steps < needed) {
    const message = `has ${steps} steps of ${body.stepMs / 1000} s, ${needed} are needed to see a season: forecast from its last values alone`;
    return { source: 'features', horizon, known: now, nextMs, warnings: [{ path: 'history', message }] };
  }
  const warnings = names.flatMap((name, at): FieldProblem[] =>
    columns[at]!.every(Number.isNaN)
      ? [{ path: `history.${name}`, message: 'was never given: the mean of the training data stands in' }]
      : [],
  );
  for (const { kind, count } of grid!.repairs)
    if (kind !== 'sorted') warnings.push({ path: 'history', message: `${kind.replaceAll('_', ' ')}: ${count}` });
  return { source: 'history', horizon, columns, nextMs, known: now, warnings };
}

/** The last known values of a history; what the caller gave as features goes first. */
function readNow(body: UsageBody, columns: readonly Float64Array[], given: KnownNow): KnownNow {
  const last = (values: Float64Array | undefined): number => values?.findLast((value) => !Number.isNaN(value)) ?? NaN;
  const first = columns[0]!;
  const trend = trendOf(first, first.length, body.seasons[0] ?? 12);
  return {
    now: given.now.map((value, at) => (Number.isNaN(value) ? last(columns[at]) : value)),
    facts: given.facts.map((value, at) => (Number.isNaN(value) ? last(columns[body.measures.length + at]) : value)),
    trend: Number.isNaN(given.trend) ? trend : given.trend,
  };
}
