/** The types that columns of the source tables have. A `timestamp` is carried as milliseconds since 1970 in UTC. */
export type ColumnType = 'text' | 'integer' | 'double' | 'timestamp' | 'json';
export type Cell = string | number | null;
/** A row: its cells in the order of the table's columns. */
export type SourceRow = readonly Cell[];

export interface SourceTable {
  readonly name: SourceTableName;
  readonly columns: readonly { readonly name: string; readonly type: ColumnType; readonly nullable?: boolean }[];
  readonly key: readonly string[];
  /** Columns to index in the database, for incremental pulls. */
  readonly cursor: string;
}

export const SOURCE_TABLE_NAMES = [
  'users',
  'user_events',
  'projects',
  'resource_metrics',
  'item_interactions',
] as const;
export type SourceTableName = (typeof SOURCE_TABLE_NAMES)[number];

/** The tables that the simulator fills, as a platform's database would have them. */
export const SOURCE_TABLES: Readonly<Record<SourceTableName, SourceTable>> = {
  users: {
    name: 'users',
    columns: [
      { name: 'user_id', type: 'text' },
      { name: 'registered_at', type: 'timestamp' },
      { name: 'plan', type: 'text' },
      { name: 'country', type: 'text' },
    ],
    key: ['user_id'],
    cursor: 'registered_at',
  },
  user_events: {
    name: 'user_events',
    columns: [
      { name: 'event_id', type: 'text' },
      { name: 'user_id', type: 'text' },
      { name: 'event_type', type: 'text' },
      { name: 'project_id', type: 'text', nullable: true },
      { name: 'occurred_at', type: 'timestamp' },
      { name: 'properties', type: 'json' },
    ],
    key: ['event_id'],
    cursor: 'occurred_at',
  },
  projects: {
    name: 'projects',
    columns: [
      { name: 'project_id', type: 'text' },
      { name: 'owner_id', type: 'text' },
      { name: 'created_at', type: 'timestamp' },
      { name: 'complexity_score', type: 'double' },
      { name: 'team_size', type: 'integer' },
      { name: 'duration_estimate', type: 'double' },
      { name: 'technology_maturity', type: 'double' },
      { name: 'outcome', type: 'text', nullable: true },
      { name: 'completed_at', type: 'timestamp', nullable: true },
      { name: 'actual_days', type: 'double', nullable: true },
    ],
    key: ['project_id'],
    cursor: 'created_at',
  },
  resource_metrics: {
    name: 'resource_metrics',
    columns: [
      { name: 'service', type: 'text' },
      { name: 'measured_at', type: 'timestamp' },
      { name: 'cpu', type: 'double' },
      { name: 'memory', type: 'double' },
      { name: 'storage', type: 'double' },
      { name: 'user_count', type: 'integer' },
      { name: 'request_rate', type: 'double' },
      { name: 'error_rate', type: 'double' },
      { name: 'incident_type', type: 'text', nullable: true },
    ],
    key: ['service', 'measured_at'],
    cursor: 'measured_at',
  },
  item_interactions: {
    name: 'item_interactions',
    columns: [
      { name: 'interaction_id', type: 'text' },
      { name: 'user_id', type: 'text' },
      { name: 'item_id', type: 'text' },
      { name: 'item_type', type: 'text' },
      { name: 'action', type: 'text' },
      { name: 'occurred_at', type: 'timestamp' },
    ],
    key: ['interaction_id'],
    cursor: 'occurred_at',
  },
};
