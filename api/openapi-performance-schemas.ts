import { count, nullableNumber, nullableText, share, strict, text, time } from './openapi-types.js';

const nullableShare = { type: ['number', 'null'], minimum: 0, maximum: 1 } as const;
const date = { type: 'string', format: 'date' } as const;
const ofSchema = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const listOfSchema = (name: string) => ({ type: 'array', items: ofSchema(name) });
const byName = (schema: object) => ({ type: 'object', additionalProperties: schema });

const days = { model: text, start_date: date, end_date: date, interval: { enum: ['day', 'hour'] } };
const group = { version: text, arm: nullableText, segment: text };
const answers = {
  requests: count,
  errors: count,
  error_share: nullableShare,
  cached: count,
  cached_share: nullableShare,
  latency_ms: strict({ p50: nullableNumber, p95: nullableNumber, p99: nullableNumber }),
  heads: byName(strict({ answers: count, mean_score: nullableNumber, class_shares: byName(share) })),
};
const estimate = { value: nullableNumber, lower: nullableNumber, upper: nullableNumber, rows: count };
const performance = {
  requests: count,
  labelled: { ...count, description: 'Answers whose truth is known' },
  label_coverage: nullableShare,
  heads: byName(byName(ofSchema('MetricSummary'))),
};
const orNull = (schema: object) => ({ anyOf: [{ type: 'null' }, schema] });
const tail = {
  progress: ofSchema('RollupProgress'),
  note: { ...nullableText, description: 'Why nothing is there, where that is so' },
};

/** The shapes of the answers about what models answered and how well it came true. */
export const PERFORMANCE_SCHEMAS = {
  RollupProgress: strict({
    predictions_at: { ...time, description: 'When answers were last summed up; later ones follow within seconds' },
    outcomes_at: { ...time, description: 'When truths were last summed up' },
    hours_to_correct: { ...count, description: 'Hours that wait to be summed up anew after a correction' },
  }),
  PredictionAnalytics: strict({
    ...days,
    totals: strict(answers),
    versions: { type: 'array', items: strict({ ...group, ...answers }) },
    series: {
      type: 'array',
      items: strict({ start: time, segment: text, ...answers, versions: byName(count) }),
    },
    ...tail,
  }),
  MetricSummary: strict({
    realised: orNull(strict(estimate)),
    estimated: orNull(strict({ ...estimate, method: { enum: ['confidence_based', 'direct_loss'] } })),
    baseline: { ...orNull(strict(estimate)), description: 'The version’s own metric on the rows held out in training' },
  }),
  EstimateError: strict({
    intervals: { ...count, description: 'Entries of the series with 30 truths or more' },
    mean_absolute_error: { type: 'number', minimum: 0 },
    bias: { type: 'number', description: 'Mean of estimate minus realised' },
  }),
  VersionPerformance: strict({
    ...group,
    ...performance,
    estimate_errors: byName(byName(ofSchema('EstimateError'))),
  }),
  PerformanceEntry: strict({
    start: time,
    is_mature: { type: 'boolean', description: 'Old enough that truths which come late are in' },
    ...group,
    ...performance,
  }),
  ModelPerformance: strict({
    ...days,
    label_maturity_hours: count,
    versions: listOfSchema('VersionPerformance'),
    series: listOfSchema('PerformanceEntry'),
    ...tail,
  }),
};
