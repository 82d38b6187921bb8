import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import type { FeatureView } from '../../core/schemas/feature-view.js';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import { typedSql } from './point-in-time-sql.js';
import { lockConnection } from './view-sandbox.js';

export type FeatureValue = string | number | boolean | null;
export type FeatureValues = Record<string, FeatureValue>;

const JSON_TYPES = { number: 'DOUBLE', string: 'VARCHAR', boolean: 'BOOLEAN' } as const;

/**
 * The on-demand features of a view as columns over a relation that has its features and the values of the request. The same text computes
 * them for a request and for a training table, so that both see the same values.
 */
export function onDemandSql({ on_demand: features }: FeatureView): string[] {
  return Object.entries(features).map(
    ([name, { type, expression }]) => `${typedSql(`(${expression}\n)`, type)} AS ${quoteIdentifier(name)}`,
  );
}

/** What an on-demand expression may refer to, with types. */
function inputsOf(view: FeatureView): [name: string, type: keyof typeof JSON_TYPES][] {
  return [...Object.entries(view.features), ...Object.entries(view.request)].map(([name, { type }]) => [name, type]);
}

/** Computes on-demand features in a database of its own that holds nothing and reaches nothing. */
export class OnDemandFeatures {
  #opened: Promise<DuckDBConnection> | undefined;
  #instance: DuckDBInstance | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param rows the features and the values of the request, by name */
  async compute(view: FeatureView, rows: readonly FeatureValues[]): Promise<FeatureValues[]> {
    const columns = onDemandSql(view);
    if (columns.length === 0) return rows.map(() => ({}));
    const connection = await (this.#opened ??= this.#open());
    const shape = inputsOf(view).map(([name, type]) => `${JSON.stringify(name)}:"${JSON_TYPES[type]}"`);
    const sql = `SELECT ${columns.join(', ')} FROM (SELECT unnest(from_json($rows::JSON, ${quoteText(`[{${shape.join(',')}}]`)}), recursive := true))`;
    // One connection answers one query at a time.
    const answer = this.#turn.then(() => queryRows<FeatureValues>(connection, sql, { rows: JSON.stringify(rows) }));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #open(): Promise<DuckDBConnection> {
    this.#instance = await DuckDBInstance.create(':memory:', { memory_limit: '128MiB', threads: '1' });
    const connection = await this.#instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    await lockConnection(connection, []);
    return connection;
  }

  async close(): Promise<void> {
    (await this.#opened)?.closeSync();
    this.#instance?.closeSync();
  }
}
