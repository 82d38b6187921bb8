import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../services/project-root.js';
import { withDuckDb } from '../../services/duckdb.js';

/** Rows and columns of one table to train on. */
export interface GridTable {
  name: string;
  rows: number;
  columns: number;
}

export const gridTables = (scale: number): GridTable[] =>
  [
    [10_000, 10],
    [10_000, 40],
    [50_000, 10],
    [50_000, 40],
  ].map(([rows, columns]) => {
    const count = Math.round(rows! * scale);
    return { name: `grid_${rows}_${columns}`, rows: count, columns: columns! };
  });

/** The models file of this checkout with a model for each table. @returns its path */
export function writeGridConfig(folder: string, tables: readonly GridTable[]): string {
  const entries = tables.map(
    ({ name }) => `
${name}:
  kind: classification
  algorithm: gradient_boosting
  hyperparameters: { n_estimators: 100 }
  source: ${name}
  target: label
`,
  );
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'config.yaml');
  writeFileSync(path, readFileSync(join(projectRoot(), 'models', 'config.yaml'), 'utf8') + entries.join(''));
  // What stands beside it is read as well.
  for (const name of ['data-types.yaml', 'features.yaml'])
    writeFileSync(join(folder, name), readFileSync(join(projectRoot(), 'models', name)));
  return path;
}

/** Numbers of which the first three say, with noise, what the label is. */
export async function writeGridTable(folder: string, { name, rows, columns }: GridTable): Promise<void> {
  const numbers = Array.from(
    { length: columns },
    (_, at) => `((i * ${7919 + 2 * at} + ${at}) % 10007) / 10007.0 AS x${at}`,
  );
  const label = `CASE WHEN x0 + x1 * x2 + (i * 31 % 997) / 2000.0 > 1 THEN 'yes' ELSE 'no' END AS label`;
  await withDuckDb((connection) =>
    connection.run(
      `COPY (SELECT *, ${label} FROM (SELECT ${numbers.join(', ')}, i FROM range(${rows}) t(i))) TO '${join(folder, `${name}.csv`)}' (HEADER)`,
    ),
  );
}
