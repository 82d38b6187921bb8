import {
  BIGINT,
  DOUBLE,
  DuckDBDataChunk,
  JSDuckDBValueConverter,
  VARCHAR,
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBValue,
} from '@duckdb/node-api';
import { categoryCodes } from '../../ml/preprocess/category-cells.js';
import { isMissing } from '../../ml/preprocess/column-type.js';
import { isOutside } from '../../ml/preprocess/remove-outliers.js';
import { encodeTable, type RawColumn } from '../../ml/preprocess/table-encoder.js';
import type { FeatureMatrix } from '../../ml/matrix.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';
import { FOLDS, type Preprocessor } from './fit-preprocessor.js';

/** Stands between the reasons of one row; no column's name in a data file holds it. */
const BETWEEN = '\u001f';

/**
 * Writes the prepared rows, and beside them the rows that were left out with their reasons. Rows stream through in their order,
 * two thousand at a time.
 * @param source a relation with `file_row_number`
 * @param files where to write; `columns` are those of the source, for what is shown of a row that is left out
 */
export async function applyPreprocessor(
  connection: DuckDBConnection,
  source: string,
  preprocessor: Preprocessor,
  files: { data: string; quarantine: string; columns: readonly string[] },
  onRows: (rows: number) => void,
): Promise<void> {
  const { encoder, passed } = preprocessor;
  const cells = encoder.columns.map((_, column) => `c${column}`);
  await connection.run(
    `CREATE TABLE encoded (_row BIGINT, _reasons VARCHAR${cells.map((name) => `, ${name} DOUBLE`).join('')})`,
  );
  await encodeRows(connection, source, preprocessor, onRows);
  const columns = [
    ...passed.map(({ name, fill }) => `${passExpression(name, fill)} AS ${quoteIdentifier(name)}`),
    ...encoder.columns.map((name, column) => `encoded.c${column} AS ${quoteIdentifier(name)}`),
  ];
  const joined = `${source} AS source JOIN encoded ON source.file_row_number = encoded._row`;
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM ${joined} WHERE _reasons IS NULL ORDER BY _row) TO ${quoteText(files.data)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const shown = files.columns.map((name) => `${quoteIdentifier(name)} := source.${quoteIdentifier(name)}`);
  await connection.run(
    `COPY (SELECT _row + 1 AS row_number, string_split(_reasons, ${quoteText(BETWEEN)}) AS reasons, CAST(to_json(struct_pack(${shown.join(', ')})) AS VARCHAR) AS content
       FROM ${joined}
       WHERE _reasons IS NOT NULL ORDER BY _row)
     TO ${quoteText(files.quarantine)} (FORMAT parquet, COMPRESSION zstd)`,
  );
}

function passExpression(name: string, fill: string | boolean | undefined): string {
  const column = `source.${quoteIdentifier(name)}`;
  if (fill === undefined) return column;
  if (typeof fill === 'boolean') return `coalesce(${column}, ${fill})`;
  return `CASE WHEN trim(coalesce(${column}, '')) = '' THEN ${quoteText(fill)} ELSE ${column} END`;
}

async function encodeRows(
  connection: DuckDBConnection,
  source: string,
  preprocessor: Preprocessor,
  onRows: (rows: number) => void,
): Promise<void> {
  const { encoder, complete, bounds } = preprocessor;
  const needed = [
    ...new Set([...encoder.features.map(({ name }) => name), ...complete, ...bounds.map(({ name }) => name)]),
  ];
  const reader = await connection.stream(
    `SELECT file_row_number${needed.map((name) => `, ${quoteIdentifier(name)}`).join('')} FROM ${source}`,
  );
  const appender = await connection.createAppender('encoded');
  let seen = 0;
  for (let chunk = await reader.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await reader.fetchChunk()) {
    const [places, ...values] = chunk.convertColumns(JSDuckDBValueConverter);
    const columns = needed.map((name, index): RawColumn => ({ name, values: values[index]!.map(plain) }));
    appendRows(appender, (places as bigint[]).map(Number), columns, preprocessor);
    onRows((seen += chunk.rowCount));
  }
  appender.closeSync();
}

/** As `queryColumns` gives it to the fit. */
const plain = (value: unknown) =>
  typeof value !== 'bigint' ? value : Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();

function appendRows(
  appender: DuckDBAppender,
  places: readonly number[],
  columns: readonly RawColumn[],
  preprocessor: Preprocessor,
): void {
  const { encoder } = preprocessor;
  const matrix = encodeTable(encoder, columns);
  replaceOwnTruth(matrix, places, columns, preprocessor);
  const rows = places.length;
  const chunk = DuckDBDataChunk.create([BIGINT, VARCHAR, ...encoder.columns.map(() => DOUBLE)], rows);
  chunk.setColumns([
    places.map(BigInt),
    places.map((_, row) => reasonsOf(columns, row, preprocessor)),
    ...encoder.columns.map((_, column) =>
      Array.from(matrix.values.subarray(column * rows, (column + 1) * rows), (value): DuckDBValue =>
        value === value ? value : null,
      ),
    ),
  ]);
  appender.appendDataChunk(chunk);
}

/** What the target says of a category, each row is told by the other folds. */
function replaceOwnTruth(
  matrix: FeatureMatrix,
  places: readonly number[],
  columns: readonly RawColumn[],
  { encoder, folds }: Preprocessor,
): void {
  for (const feature of encoder.features) {
    const tables = Object.hasOwn(folds, feature.name) ? folds[feature.name]! : undefined;
    if (!tables) continue;
    const codes = categoryCodes(feature, columns.find(({ name }) => name === feature.name)!.values);
    codes.forEach((code, row) => {
      const table = tables[places[row]! % FOLDS];
      if (!table || code < 0) return;
      for (let cell = 0; cell < feature.width; cell++)
        matrix.values[(feature.start + cell) * matrix.rows + row] = table[code * feature.width + cell]!;
    });
  }
}

/** Why a row is left out; null for one that stays. */
function reasonsOf(columns: readonly RawColumn[], row: number, { complete, bounds }: Preprocessor): string | null {
  const valueOf = (name: string) => columns.find((column) => column.name === name)?.values[row];
  const reasons = [
    ...complete
      .filter((name) => isMissing(valueOf(name)))
      .map((name) => `column ${name}: empty, and handle_missing is drop`),
    ...bounds
      .filter((one) => isOutside(one, valueOf(one.name)))
      .map(({ name, lower, upper }) => `column ${name}: an outlier, beyond ${lower} to ${upper}`),
  ];
  return reasons.length > 0 ? reasons.join(BETWEEN) : null;
}
