import { LOG_LEVELS } from '../core/schemas/log-level.js';
import { count, nullableTime, strict, text, texts, time } from './openapi-types.js';

const bytes = { type: 'number', minimum: 0 } as const;
const byName = (schema: object) => ({ type: 'object', additionalProperties: schema });

/** The shapes of the answers about the service itself. */
export const OPERATE_SCHEMAS = {
  Health: strict({
    status: { enum: ['ok', 'degraded'] },
    degraded: { type: 'array', items: strict({ state: text, affects: text }) },
    version: text,
    uptime_seconds: count,
    dependencies: byName(
      strict(
        {
          status: { enum: ['up', 'down'] },
          latency_ms: { type: 'number', minimum: 0 },
          affects: text,
          error: text,
          last_error: { oneOf: [{ type: 'null' }, strict({ message: text, at: time })] },
        },
        ['error'],
      ),
    ),
    task_queues: {
      type: 'array',
      items: strict({
        queue: text,
        kind: { enum: ['workflow', 'activity'] },
        pollers: count,
        builds: { type: 'array', items: strict({ deployment: text, build_id: text }) },
        backlog: count,
        oldest_seconds: count,
      }),
    },
    spools: byName(strict({ rows: count, bytes, most_bytes: bytes })),
    disks: byName(strict({ free_bytes: bytes, total_bytes: bytes })),
    not_served: texts,
    serving: { type: 'array', items: strict({ model: text, version: text }) },
  }),
  LogLevel: strict({
    level: { enum: LOG_LEVELS },
    configured_level: { enum: LOG_LEVELS },
    until: nullableTime,
  }),
};
