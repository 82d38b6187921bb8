import { buildItemCatalogue } from './item-catalogue.js';
import { resourceSeries } from './resource-series.js';
import type { SimulationParameters } from './simulation-parameters.js';
import { SOURCE_TABLE_NAMES, type SourceRow, type SourceTableName } from './source-tables.js';
import { emptyUserRows, UserRowSource } from './user-rows.js';

/** Rows of one table, at most about `BATCH_ROWS` of them. */
export interface RowBatch {
  table: SourceTableName;
  rows: SourceRow[];
  /** How much of the users or, for their table, of the services is written with it, in (0, 1]. */
  share: number;
}

/** Where the rows go. `finish` makes all of them visible at once; `abandon` leaves what was there before. */
export interface SimulationSink {
  write(batch: RowBatch): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

const BATCH_ROWS = 20_000;

/** Yields every row of the simulation in batches: one batch at a time is in memory, whatever the number of users. */
export function* simulateRows(parameters: SimulationParameters): Generator<RowBatch> {
  const source = new UserRowSource(parameters, buildItemCatalogue(parameters));
  let rows = emptyUserRows();
  for (let index = 0; index < parameters.users; index += 1) {
    source.writeUser(index, rows);
    const isLast = index === parameters.users - 1;
    if (rows.user_events.length < BATCH_ROWS && rows.users.length < BATCH_ROWS && !isLast) continue;
    for (const table of ['users', 'projects', 'user_events', 'item_interactions'] as const) {
      if (rows[table].length > 0) yield { table, rows: rows[table], share: (index + 1) / parameters.users };
    }
    rows = emptyUserRows();
  }
  for (let index = 0; index < parameters.services; index += 1)
    yield* batchesOf('resource_metrics', resourceSeries(parameters, index), (index + 1) / parameters.services);
}

function* batchesOf(table: SourceTableName, source: Iterable<SourceRow>, share: number): Generator<RowBatch> {
  let rows: SourceRow[] = [];
  for (const row of source) {
    rows.push(row);
    if (rows.length < BATCH_ROWS) continue;
    yield { table, rows, share };
    rows = [];
  }
  if (rows.length > 0) yield { table, rows, share };
}

/**
 * Runs the simulation into every sink and counts its rows by table. If a sink fails, all of them abandon.
 * @param tell is told of each batch that was written
 */
export async function simulatePlatform(
  parameters: SimulationParameters,
  sinks: readonly SimulationSink[],
  tell: (batch: RowBatch) => void = () => undefined,
): Promise<Record<SourceTableName, number>> {
  const counts = Object.fromEntries(SOURCE_TABLE_NAMES.map((name) => [name, 0])) as Record<SourceTableName, number>;
  try {
    for (const batch of simulateRows(parameters)) {
      counts[batch.table] += batch.rows.length;
      for (const sink of sinks) await sink.write(batch);
      tell(batch);
    }
    for (const sink of sinks) await sink.finish();
  } catch (error) {
    await Promise.allSettled(sinks.map((sink) => sink.abandon()));
    throw error;
  }
  return counts;
}
