import { join } from 'node:path';
import { buildInteractions, type Interactions } from '../../../ml/recommend/interactions.js';
import { buildItemAttributes, type ItemAttributes } from '../../../ml/recommend/item-attributes.js';
import { queryColumns, quoteIdentifier, quoteText, withDuckDb } from '../../duckdb.js';
import { filesOfPlan, stageTable, writeSelection } from '../../training/select-rows.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import { settingsOf, type RecommendationPlan } from './plan.js';

/** Below this there is nothing to learn from. */
const LEAST_ROWS = 20;

/** Writes the events that the fit reads: user, item, time in milliseconds, weight, and the item's attributes. */
export function buildInteractionTable(
  plan: TrainingPlan,
  folders: { datasets: string; staging: string },
): Promise<{ rows: number }> {
  const settings = settingsOf(plan);
  const [user, item] = [quoteIdentifier(settings.user), quoteIdentifier(settings.item)];
  const time = settings.time ? `epoch_ms(CAST(${quoteIdentifier(settings.time)} AS TIMESTAMP))` : '0';
  const weight = weightExpression(settings);
  const attributes = settings.attributes.map(
    (name, index) => `CAST(${quoteIdentifier(name)} AS VARCHAR) AS attribute_${index}`,
  );
  return stageTable(folders.staging, LEAST_ROWS, async (connection, file) =>
    writeSelection(connection, plan, await filesOfPlan(plan, folders), file, {
      columns: [
        `CAST(${user} AS VARCHAR) AS user`,
        `CAST(${item} AS VARCHAR) AS item`,
        `CAST(${time} AS DOUBLE) AS time`,
        `${weight} AS weight`,
        ...attributes,
      ],
      conditions: [
        `CAST(${user} AS VARCHAR) <> ''`,
        `CAST(${item} AS VARCHAR) <> ''`,
        `${time} IS NOT NULL`,
        `${weight} > 0`,
      ],
    }),
  );
}

function weightExpression({ action, action_weights: weights }: RecommendationPlan): string {
  if (!action || Object.keys(weights).length === 0) return 'CAST(1 AS DOUBLE)';
  const cases = Object.entries(weights).map(([name, weight]) => `WHEN ${quoteText(name)} THEN ${weight}`);
  return `CAST(CASE CAST(${quoteIdentifier(action)} AS VARCHAR) ${cases.join(' ')} ELSE 1 END AS DOUBLE)`;
}

/** What is known by name: users and items by their number, attributes as a column and a value. */
export interface Catalogue {
  users: string[];
  items: string[];
  attributes: { column: string; value: string }[];
}

export interface InteractionTable {
  interactions: Interactions;
  catalogue: Catalogue;
  attributes?: ItemAttributes;
}

/** Reads the staged events. Numbers follow the names in ascending order, so that the order of rows does not matter. */
export async function readInteractionTable(plan: TrainingPlan, staging: string): Promise<InteractionTable> {
  const { attributes: columns, separator } = settingsOf(plan);
  const source = `read_parquet(${quoteText(join(staging, STAGED.table))})`;
  const [users, items, time, weight] = await readColumns(`SELECT user, item, time, weight FROM ${source}`);
  const [userIds, itemIds] = [sortedNames(users!), sortedNames(items!)];
  const [userOf, itemOf] = [numbersOf(userIds), numbersOf(itemIds)];
  const interactions = buildInteractions({
    users: userIds.length,
    items: itemIds.length,
    user: Int32Array.from(users!, (name) => userOf.get(name as string)!),
    item: Int32Array.from(items!, (name) => itemOf.get(name as string)!),
    weight: Float64Array.from(weight!, Number),
    time: Float64Array.from(time!, Number),
  });
  const values = columns.map(() => itemIds.map((): string[] => []));
  for (const [index] of columns.entries()) {
    // The last value that an item had; of two at the same time the later one by name.
    const [of, last] = await readColumns(
      `SELECT item, arg_max(attribute_${index}, (time, attribute_${index})) AS value FROM ${source} WHERE attribute_${index} IS NOT NULL GROUP BY item`,
    );
    of!.forEach((name, row) => {
      const cell = (last![row] as string).split(separator).map((part) => part.trim());
      values[index]![itemOf.get(name as string)!] = cell.filter((part) => part !== '');
    });
  }
  const attributes = columns.flatMap((column, index) =>
    sortedNames(values[index]!.flat()).map((value) => ({ column, value })),
  );
  const catalogue: Catalogue = { users: userIds, items: itemIds, attributes };
  if (attributes.length === 0) return { interactions, catalogue };
  const numbers = new Map(attributes.map(({ column, value }, index) => [JSON.stringify([column, value]), index]));
  const perItem = itemIds.map((_, item) =>
    columns.flatMap((column, index) =>
      values[index]![item]!.map((value) => numbers.get(JSON.stringify([column, value]))!),
    ),
  );
  return { interactions, catalogue, attributes: buildItemAttributes(perItem, attributes.length) };
}

async function readColumns(sql: string): Promise<unknown[][]> {
  const columns = await withDuckDb((connection) => queryColumns(connection, sql));
  return columns.map(({ values }) => values);
}

const sortedNames = (names: readonly unknown[]): string[] =>
  [...new Set(names as string[])].sort((a, b) => (a < b ? -1 : 1));
const numbersOf = (names: readonly string[]): Map<string, number> => new Map(names.map((name, index) => [name, index]));
