import { SteadyClient } from '../../services/database/steady-client.js';

/** Asks a database once, over a connection of its own: it may have been killed since the last time. */
export async function queryDatabase<Row extends object>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new SteadyClient({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
