import { RUN_KINDS, RUN_STATUSES } from '../core/schemas/run.js';
import { ANSWER_SCHEMAS } from './openapi-schemas.js';
import { anything, count, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

const figure = { type: 'number', minimum: 0 } as const;
const compared = {
  type: 'array',
  items: strict({ name: text, values: { type: 'array', items: anything }, differs: { type: 'boolean' } }),
};
const status = { enum: RUN_STATUSES };
const kind = { enum: RUN_KINDS };

/** A report that is not of one version. */
const { version: _, ...reportProperties } = ANSWER_SCHEMAS.Report.properties;

/** The shapes of the answers about runs. */
export const RUN_SCHEMAS = {
  Run: strict({
    run_id: text,
    kind,
    parent_id: nullableText,
    model: text,
    status,
    params: { type: 'object' },
    metrics: { type: 'object', additionalProperties: { type: 'number' } },
    artifacts: { type: 'array', items: strict({ path: text, sha256: text, bytes: count }) },
    version: nullableText,
    dataset_id: nullableText,
    dataset_digest: nullableText,
    code_version: nullableText,
    environment: { type: 'object' },
    cost: strict({ wall_seconds: figure, cpu_seconds: figure, peak_memory_bytes: figure }),
    error: { type: ['object', 'null'] },
    created_at: time,
    finished_at: nullableTime,
  }),
  RunsReport: strict(reportProperties),
  RunCurve: strict({
    run_id: text,
    name: text,
    points: { type: 'array', items: strict({ step: { type: 'integer' }, value: { type: 'number' }, at: time }) },
  }),
  RunComparison: strict({
    runs: {
      type: 'array',
      items: strict({
        run_id: text,
        model: text,
        kind,
        status,
        version: nullableText,
        dataset_id: nullableText,
        code_version: nullableText,
        created_at: time,
      }),
    },
    params: compared,
    metrics: compared,
    cost: compared,
  }),
};
