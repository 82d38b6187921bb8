import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { FeatureView } from '../../core/schemas/feature-view.js';
import { queryRows, quoteText } from '../duckdb.js';

/** Runs what a view says where it can read the files of its own data, write none but those named, and change no setting. */
export async function lockConnection(connection: DuckDBConnection, files: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${files.map(quoteText).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** Table functions that make rows of their arguments alone. */
const HARMLESS_TABLES = new Set(['unnest', 'range', 'generate_series']);

/** These are written without brackets, so that they look like columns. */
const CLOCKS = new Set(['current_date', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp']);

type Node = Record<string, unknown>;

/** All nodes of a syntax tree, at any depth. */
function* nodesOf(value: unknown): Generator<Node> {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield value as Node;
  for (const part of Object.values(value)) yield* nodesOf(part);
}

/** What is wrong with one SELECT, or undefined. @param isScalar it must be a function of one row */
async function problemOf(connection: DuckDBConnection, sql: string, isScalar: boolean): Promise<string | undefined> {
  const [row] = await queryRows<{ tree: string }>(
    connection,
    'SELECT CAST(json_serialize_sql(CAST($sql AS VARCHAR)) AS VARCHAR) AS tree',
    { sql },
  );
  const tree = JSON.parse(row!.tree) as { error: boolean; error_message?: string; statements?: unknown[] };
  if (tree.error) return `is not one SELECT that can be read: ${tree.error_message}`;
  if (tree.statements?.length !== 1) return 'must be one SELECT and no more';
  const nodes = [...nodesOf(tree.statements)];
  const tables = nodes.filter((node) => node['type'] === 'TABLE_FUNCTION');
  const calls = nodes.filter((node) => typeof node['function_name'] === 'string');
  const names = [...new Set(calls.map((node) => String(node['function_name']).toLowerCase()))];
  const table = tables
    .map((node) => String((node['function'] as Node | undefined)?.['function_name']))
    .find((name) => !HARMLESS_TABLES.has(name));
  if (table !== undefined) return `may not read from ${table}(); name the data type in \`sources\``;
  const columnNames = nodes.flatMap((node) => (node['column_names'] as string[] | undefined) ?? []);
  const clock = columnNames.find((name) => CLOCKS.has(name.toLowerCase()));
  if (clock !== undefined) return `uses ${clock}, which does not give the same value each time`;
  const known = await queryRows<{ name: string; type: string; stability: string }>(
    connection,
    `SELECT DISTINCT lower(function_name) AS name, function_type AS type, coalesce(stability, 'CONSISTENT') AS stability FROM duckdb_functions()
     WHERE list_contains(string_split(CAST($names AS VARCHAR), ','), lower(function_name))`,
    { names: names.join(',') },
  );
  const unstable = known.find(({ stability }) => stability !== 'CONSISTENT');
  if (unstable) return `uses ${unstable.name}(), which does not give the same value each time`;
  if (!isScalar) return undefined;
  const { select_list: columns, from_table: from } = (tree.statements[0] as { node: Node }).node as {
    select_list?: unknown[];
    from_table?: Node;
  };
  if (columns?.length !== 1 || from?.['type'] !== 'EMPTY') return 'must be one expression and no more';
  const isAggregate = (name: string) =>
    known.some((one) => one.name === name && one.type === 'aggregate') &&
    !known.some((one) => one.name === name && one.type !== 'aggregate');
  if (nodes.some((node) => node['class'] === 'WINDOW')) return 'must use one row only; windows belong into `sql`';
  if (nodes.some((node) => node['class'] === 'SUBQUERY')) return 'must use one row only; subqueries belong into `sql`';
  const aggregate = names.find(isAggregate);
  return aggregate === undefined ? undefined : `must use one row only; ${aggregate}() belongs into \`sql\``;
}

/** Every text of a view that is not SQL of the kind that it should be. */
export async function sqlProblems(connection: DuckDBConnection, view: FeatureView): Promise<FieldProblem[]> {
  const texts = [
    ...(view.sql === undefined ? [] : [{ path: 'sql', sql: view.sql, isScalar: false }]),
    ...(['features', 'on_demand'] as const).flatMap((part) =>
      Object.entries(view[part]).flatMap(([name, { expression }]) =>
        expression === undefined
          ? []
          : [{ path: `${part}.${name}.expression`, sql: `SELECT (${expression}\n)`, isScalar: true }],
      ),
    ),
  ];
  const problems: FieldProblem[] = [];
  for (const { path, sql, isScalar } of texts) {
    const message = await problemOf(connection, sql, isScalar);
    if (message !== undefined) problems.push({ path, message });
  }
  return problems;
}

/** @throws ServiceError `request_invalid` with every problem of the SQL of a view */
export async function refuseUnsafeSql(connection: DuckDBConnection, view: FeatureView): Promise<void> {
  const problems = await sqlProblems(connection, view);
  if (problems.length > 0)
    throw new ServiceError(
      'request_invalid',
      `The SQL of the view cannot be used: ${problems[0]!.path} ${problems[0]!.message}.`,
      problems,
    );
}
