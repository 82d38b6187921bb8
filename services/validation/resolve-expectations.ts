import type { DuckDBConnection } from '@duckdb/node-api';
import type { FieldProblem } from '../../core/errors.js';
import type { Expectation, ExpectationOf } from '../../core/schemas/expectation.js';
import type { Database } from '../database/database.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { datasetRows } from '../datasets/dataset-rows.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { queryRows, quoteIdentifier } from '../duckdb.js';
import { lastGoodSnapshot, type ValidatedDataset } from './dataset-history.js';

/** Another dataset that an expectation looks at. */
export interface OtherDataset {
  id: string;
  relation: string;
}

/** An expectation with what it looks at, or why it cannot be looked at: `problem`; `skip` where there is nothing yet. */
export type ResolvedExpectation = {
  expectation: Expectation;
  problem?: FieldProblem;
  skip?: string;
  other?: OtherDataset;
};

export interface ResolveContext {
  database: Database;
  /** The folder of all datasets. */
  folder: string;
}

/** Finds columns and other datasets, and tries the patterns. @param path of the list in the request */
export async function resolveExpectations(
  connection: DuckDBConnection,
  expectations: readonly Expectation[],
  dataset: ValidatedDataset,
  context: ResolveContext,
): Promise<ResolvedExpectation[]> {
  const resolved: ResolvedExpectation[] = [];
  for (const [index, expectation] of expectations.entries()) {
    const path = `expectations.${index}`;
    const problem =
      missingColumn(expectation, dataset.manifest, path) ?? (await badPattern(connection, expectation, path));
    resolved.push(
      problem ? { expectation, problem } : { expectation, ...(await findOther(expectation, dataset, context, path)) },
    );
  }
  return resolved;
}

function missingColumn(expectation: Expectation, manifest: DatasetManifest, path: string): FieldProblem | undefined {
  const names = manifest.columns.map(({ name }) => name);
  const lacking = `is no column of ${manifest.dataset_id}; its columns: ${names.slice(0, 50).join(', ')}`;
  if ('columns' in expectation) {
    const at = expectation.columns.findIndex((name) => !names.includes(name));
    return at < 0 ? undefined : { path: `${path}.columns.${at}`, message: lacking };
  }
  if (!('column' in expectation) || names.includes(expectation.column)) return undefined;
  return { path: `${path}.column`, message: lacking };
}

/** RE2 takes time in proportion to the text, whatever the pattern: only patterns that it cannot read are refused. */
async function badPattern(
  connection: DuckDBConnection,
  expectation: Expectation,
  path: string,
): Promise<FieldProblem | undefined> {
  if (expectation.check !== 'pattern') return undefined;
  try {
    await queryRows(connection, 'SELECT regexp_full_match($text, $pattern)', {
      text: '',
      pattern: expectation.pattern,
    });
    return undefined;
  } catch (error) {
    const said = (error as Error).message.split('\n', 1)[0] ?? '';
    return { path: `${path}.pattern`, message: `is no RE2 expression: ${said.slice(0, 200)}` };
  }
}

async function findOther(
  expectation: Expectation,
  dataset: ValidatedDataset,
  context: ResolveContext,
  path: string,
): Promise<Omit<ResolvedExpectation, 'expectation'>> {
  if (expectation.check === 'references') return findReference(expectation, context, path);
  if (expectation.check !== 'distribution') return {};
  const { against, column } = expectation;
  const found =
    against === undefined ? await lastGoodSnapshot(context.database, dataset) : await findDataset(context, against);
  if (!found)
    return against === undefined
      ? { skip: 'there is no earlier snapshot that passed' }
      : { problem: { path: `${path}.against`, message: `there is no dataset ${against}` } };
  const hasColumn = found.manifest.columns.some(({ name }) => name === column);
  if (!hasColumn) return { skip: `the dataset ${found.id} has no column ${column}` };
  return { other: { id: found.id, relation: await relationOf(context, found.id) } };
}

const relationOf = async ({ folder }: ResolveContext, id: string) => datasetRows(await datasetFiles(folder, id));

async function findDataset({ database }: ResolveContext, id: string) {
  const row = await database.prisma.dataset.findUnique({ where: { id } });
  return row ? { id: row.id, manifest: row.manifest as unknown as DatasetManifest } : undefined;
}

async function findReference(
  { data_type: dataType, dataset_id: datasetId, column, in_column: inColumn = column }: ExpectationOf<'references'>,
  context: ResolveContext,
  path: string,
): Promise<Omit<ResolvedExpectation, 'expectation'>> {
  if ((dataType === undefined) === (datasetId === undefined))
    return { problem: { path: `${path}.data_type`, message: 'give a data_type or a dataset_id, one of them' } };
  const row = await context.database.prisma.dataset.findFirst({
    where: datasetId === undefined ? { dataType } : { id: datasetId },
    orderBy: { createdAt: 'desc' },
  });
  const where = datasetId === undefined ? 'data_type' : 'dataset_id';
  if (!row)
    return { problem: { path: `${path}.${where}`, message: `there is no dataset of it: ${dataType ?? datasetId}` } };
  const columns = (row.manifest as unknown as DatasetManifest).columns.map(({ name }) => name);
  if (!columns.includes(inColumn))
    return {
      problem: {
        path: `${path}.in_column`,
        message: `the dataset ${row.id} has no column ${inColumn}; its columns: ${columns.slice(0, 50).join(', ')}`,
      },
    };
  const values = `(SELECT DISTINCT CAST(${quoteIdentifier(inColumn)} AS VARCHAR) AS value FROM ${await relationOf(context, row.id)} WHERE ${quoteIdentifier(inColumn)} IS NOT NULL)`;
  return { other: { id: row.id, relation: values } };
}
