import { SteadyClient } from '../../services/database/steady-client.js';

interface Column {
  table: string;
  name: string;
  type: string;
}

/** Tables whose rows the database itself writes, and those that every process acts on. */
const KEPT = /^(_prisma_migrations|audit_.*|.*_cursors|predictions.*|events.*|service_tokens|routes|alert_rules)$/;

const valueOf = ({ type, name }: Column, text: string): string | number | boolean => {
  if (/^(text|character varying|name)$/.test(type)) return text;
  if (type.startsWith('timestamp') || type === 'date') return '2026-01-01T00:00:00Z';
  if (/json/.test(type)) return name.endsWith('s') ? '[]' : '{}';
  if (type === 'boolean') return false;
  if (type === 'bytea') return '\\x00';
  if (type === 'ARRAY') return '{}';
  return 1;
};

/**
 * Puts a row into each table that has a model, with a text in every place that must be filled and takes any. Rows that the checks of a table do not allow are left
 * out. @returns the tables that have one
 */
export async function plantRows(url: string, text: string): Promise<string[]> {
  const client = new SteadyClient({ connectionString: url });
  await client.connect();
  try {
    // Rows are those of a hostile database: keys to other tables and triggers are left aside.
    await client.query("SET session_replication_role = 'replica'");
    const { rows: columns } = await client.query<Column>(COLUMNS);
    const planted: string[] = [];
    for (const table of new Set(columns.map((one) => one.table))) {
      const own = columns.filter((one) => one.table === table);
      if (KEPT.test(table) || !own.some(({ type }) => type === 'text')) continue;
      const names = own.map(({ name }) => `"${name}"`).join(', ');
      const places = own.map((_, at) => `$${at + 1}`).join(', ');
      const sql = `INSERT INTO "${table}" (${names}) VALUES (${places})`;
      const values = own.map((column) => valueOf(column, text));
      const isIn = await client.query(sql, values).then(
        () => true,
        () => false,
      );
      if (isIn) planted.push(table);
    }
    return planted;
  } finally {
    await client.end();
  }
}

const COLUMNS = `SELECT c.table_name AS "table", c.column_name AS name, c.data_type AS type FROM information_schema.columns c
  JOIN information_schema.tables t USING (table_schema, table_name)
  WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER' AND c.is_identity = 'NO'
    AND (c.is_nullable = 'NO' AND c.column_default IS NULL OR c.column_name IN ('model', 'id'))
  ORDER BY 1, c.ordinal_position`;
