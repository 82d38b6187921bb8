import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import { queryRows, quoteIdentifier, withDuckDb } from '../duckdb.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import { findLeak } from './find-leak.js';
import type { MaterializationPlan } from './plan-materialization.js';
import { asOfSql, featuresSql, timesSql } from './point-in-time-sql.js';
import { filesOfInputs } from './view-inputs.js';
import { openViewRows } from './view-rows.js';
import { lockConnection, refuseUnsafeSql } from './view-sandbox.js';

/** Rows that are written at once. */
const BATCH_ROWS = 2000;

export interface FilledView {
  entities: number;
  /** The sum of 48 bits of the digest of each row: equal rows in any order have equal ones. */
  checksum: string;
  statistics: FeatureStatistics[];
}

export interface FeatureStatistics {
  name: string;
  type: string;
  null_share: number;
  distinct: number;
  minimum: number | string | null;
  maximum: number | string | null;
  mean: number | null;
}

interface FillContext {
  database: Database;
  datasetsFolder: string;
  failPoint: FailPoint;
  signal: AbortSignal;
}

/**
 * Fills the online store in PostgreSQL with what counts for each entity as of the end of the plan, and reads count and checksum back.
 * Repeatable: what an earlier attempt has written is written again as it was.
 * @throws ServiceError `request_invalid` where the view does not fit its data or looks into the future
 */
export async function materializeView(
  plan: MaterializationPlan,
  context: FillContext,
  onProgress: (share: number) => void,
): Promise<FilledView> {
  const files = await filesOfInputs(plan.inputs, context.datasetsFolder);
  return withDuckDb(async (connection) => {
    await lockConnection(connection, Object.values(files).flat());
    await refuseUnsafeSql(connection, plan.definition);
    const leak = await findLeak(connection, plan.definition, files);
    if (leak !== undefined)
      throw new ServiceError('request_invalid', `The SQL of ${plan.view} ${leak}.`, [{ path: 'sql', message: leak }]);
    onProgress(0.2);
    const entities = await computeRows(
      connection,
      plan,
      await openViewRows(connection, plan.definition, files, '_rows'),
    );
    onProgress(0.4);
    let checksum = 0n;
    for (let start = 0; start < entities; start += BATCH_ROWS) {
      context.signal.throwIfAborted();
      checksum += await writeBatch(connection, plan, context.database, start);
      context.failPoint('materialize:batch');
      onProgress(0.4 + (0.5 * start) / entities);
    }
    // What an earlier filling had and this one has not.
    if (plan.mode === 'full')
      await context.database.pool.query(
        'DELETE FROM feature_values WHERE view = $1 AND version = $2 AND as_of_us < $3',
        [plan.view, plan.version, plan.endUs],
      );
    await readBack(context.database, plan, { entities, checksum });
    return { entities, checksum: checksum.toString(), statistics: await describeFeatures(connection, plan) };
  });
}

/** The table `filled`: `_ask`, `_entity`, `_event_us`, `_content` and the features. @returns its rows */
async function computeRows(connection: DuckDBConnection, plan: MaterializationPlan, rows: string): Promise<number> {
  const { definition, startUs, endUs } = plan;
  const since = startUs === null ? '' : `AND _known_us > ${BigInt(startUs)}`;
  await connection.run(
    `CREATE TEMP TABLE asked AS SELECT row_number() OVER () - 1 AS _ask, _entity, ${BigInt(endUs)} AS _at_us FROM (
       SELECT DISTINCT _entity FROM (${timesSql(definition, rows)}) WHERE _known_us <= ${BigInt(endUs)} ${since} ORDER BY _entity)`,
  );
  const cells = Object.keys(definition.features).map(
    (name) => `${quoteIdentifier(name)} := v.${quoteIdentifier(name)}`,
  );
  await connection.run(
    `CREATE TEMP TABLE filled AS SELECT h._ask, a._entity, h._event_us, v.* EXCLUDE (_row), CAST(to_json(struct_pack(${cells.join(', ')})) AS VARCHAR) AS _content
     FROM (${asOfSql(definition, rows, 'asked')}) h JOIN asked a USING (_ask) JOIN (SELECT _row, ${featuresSql(definition)} FROM ${rows}) v ON v._row = h._row
     ORDER BY _ask`,
  );
  const [counted] = await queryRows<{ rows: number }>(connection, 'SELECT count(*) AS rows FROM filled');
  return counted?.rows ?? 0;
}

/** @returns the sum over the rows; see `FilledView` */
async function writeBatch(
  connection: DuckDBConnection,
  plan: MaterializationPlan,
  { pool }: Database,
  start: number,
): Promise<bigint> {
  const rows = await queryRows<{ entity_id: string; event_us: number; content: string }>(
    connection,
    `SELECT _entity AS entity_id, _event_us AS event_us, _content AS content FROM filled WHERE _ask >= ${start} AND _ask < ${start + BATCH_ROWS} ORDER BY _ask`,
  );
  await pool.query(
    `INSERT INTO feature_values (view, version, entity_id, event_us, as_of_us, content)
     SELECT $1, $2, entity_id, event_us, $3, content FROM json_to_recordset($4::json) AS row(entity_id text, event_us bigint, content text)
     ON CONFLICT (entity_id, view, version) DO UPDATE SET event_us = EXCLUDED.event_us, as_of_us = EXCLUDED.as_of_us, content = EXCLUDED.content
     WHERE feature_values.as_of_us <= EXCLUDED.as_of_us`,
    [plan.view, plan.version, plan.endUs, JSON.stringify(rows)],
  );
  return rows.reduce((sum, row) => sum + rowSum(`${row.entity_id}|${row.event_us}|${row.content}`), 0n);
}

const rowSum = (text: string) => BigInt(`0x${createHash('md5').update(text).digest('hex').slice(0, 12)}`);

/** The database sums up what it has, by itself. @throws Error where it is not what was computed; the step is then tried again */
async function readBack(
  { pool }: Database,
  { view, version, endUs }: MaterializationPlan,
  expected: { entities: number; checksum: bigint },
): Promise<void> {
  const { rows } = await pool.query<{ entities: number; checksum: string }>(
    `SELECT count(*)::int AS entities,
       coalesce(sum(('x' || substr(md5(entity_id || '|' || event_us || '|' || content), 1, 12))::bit(48)::bigint), 0)::text AS checksum
     FROM feature_values WHERE view = $1 AND version = $2 AND as_of_us = $3`,
    [view, version, endUs],
  );
  const { entities, checksum } = rows[0]!;
  if (entities !== expected.entities || BigInt(checksum) !== expected.checksum)
    throw new Error(
      `The online store has ${entities} entities of ${view} with the checksum ${checksum} where ${expected.entities} with ${expected.checksum} were written.`,
    );
}

async function describeFeatures(
  connection: DuckDBConnection,
  { definition }: MaterializationPlan,
): Promise<FeatureStatistics[]> {
  const described: FeatureStatistics[] = [];
  for (const [name, { type }] of Object.entries(definition.features)) {
    const column = quoteIdentifier(name);
    const mean = type === 'number' ? `avg(${column})` : 'NULL';
    const bound = (sql: string) => (type === 'boolean' ? `CAST(${sql} AS VARCHAR)` : sql);
    const [found] = await queryRows<Omit<FeatureStatistics, 'name' | 'type'>>(
      connection,
      `SELECT coalesce(avg(CAST(${column} IS NULL AS INTEGER)), 0) AS null_share, approx_count_distinct(${column}) AS distinct,
         ${bound(`min(${column})`)} AS minimum, ${bound(`max(${column})`)} AS maximum, ${mean} AS mean FROM filled`,
    );
    described.push({ name, type, ...found! });
  }
  return described;
}
