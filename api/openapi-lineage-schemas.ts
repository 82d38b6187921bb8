import { NODE_KINDS, RELATIONS } from '../services/lineage/lineage-graph.js';
import { accepted } from './openapi-schemas.js';
import { count, nullableTime, strict, text, texts, time } from './openapi-types.js';

const list = (items: object) => ({ type: 'array', items });
const held = list(strict({ id: text, reason: text }));

/** The shapes of the answers about lineage, retention and erasure. */
export const LINEAGE_SCHEMAS = {
  LineageGraph: strict({
    about: text,
    nodes: list(strict({ id: text, kind: { enum: NODE_KINDS }, detail: { type: 'object' } })),
    edges: list(strict({ from: text, to: text, relation: { enum: RELATIONS } })),
  }),
  RetentionPlan: strict({
    policy: { type: 'object' },
    items: list(
      strict({ kind: { enum: ['dataset', 'quarantine', 'staging', 'orphan'] }, id: text, bytes: count, reason: text }),
    ),
    held,
    records: list(strict({ table: text, days: count, rows: count })),
  }),
  ErasureAccepted: strict({ ...accepted, erasure_id: text }),
  Forgotten: strict({ processes: count, forgotten: count, waiting: count }),
  Erasure: strict({
    erasure_id: text,
    state: { enum: ['pending', 'running', 'completed', 'incomplete', 'failed'] },
    report: strict({
      erased: { type: 'object', additionalProperties: count },
      searched: list(strict({ store: text, remaining: count, places: texts }, ['places'])),
      models: list(
        strict({ model: text, version: text, state: text, datasets: texts, names_subject: { type: 'boolean' } }),
      ),
      datasets: texts,
      not_reachable: texts,
      complete: { type: 'boolean' },
    }),
    requested_by: text,
    created_at: time,
    finished_at: nullableTime,
  }),
};
