import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import { queryColumns, queryRows, quoteIdentifier, quoteText, withDuckDb } from '../../duckdb.js';
import { filesOfPlan, stageTable, writeSelection } from '../../training/select-rows.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import { layOnGrid } from './lay-on-grid.js';
import { measuresOf, settingsOf } from './plan.js';

const LEAST_ROWS = 20;
/** Series that get a forecast of their own; the others are answered by the general one. */
export const MOST_SERIES = 500;
/** The name of the only series where no column names any. */
export const ONLY_SERIES = 'all';

/** Writes time, series, measures and facts, in order of time. */
export function buildUsageTable(
  plan: TrainingPlan,
  folders: { datasets: string; staging: string },
): Promise<{ rows: number }> {
  const settings = settingsOf(plan);
  const series = settings.series
    ? `CAST(${quoteIdentifier(settings.series)} AS VARCHAR)`
    : `CAST(${quoteText(ONLY_SERIES)} AS VARCHAR)`;
  const numbers = [...measuresOf(settings).map(({ column }) => column), ...plan.features];
  const columns = [
    `${series} AS "_series"`,
    `epoch_ms(CAST(${quoteIdentifier(settings.time)} AS TIMESTAMP)) AS "_time"`,
    ...numbers.map((column, at) => `CAST(${quoteIdentifier(column)} AS DOUBLE) AS "_value${at}"`),
  ];
  return stageTable(folders.staging, LEAST_ROWS, async (connection, file) =>
    writeSelection(connection, plan, await filesOfPlan(plan, folders), file, {
      columns,
      conditions: [`${quoteIdentifier(settings.time)} IS NOT NULL`, `${series} IS NOT NULL`],
      orderBy: '"_series", "_time"',
    }),
  );
}

/** One series on its grid: measures first, then facts, NaN for gaps. */
export interface UsageSeries {
  id: string;
  startMs: number;
  values: Float64Array[];
}

export interface UsageTable {
  series: UsageSeries[];
  stepMs: number;
  /** What was done to bring measurements onto the grid, and which series could not be. */
  warnings: FieldProblem[];
  rows: number;
}

/**
 * Reads the staged table, series by series, onto one step for all.
 * @throws ServiceError `training_data_insufficient` where no series has two measurements
 */
export async function readUsageTable(plan: TrainingPlan, staging: string): Promise<UsageTable> {
  const settings = settingsOf(plan);
  const source = `read_parquet(${quoteText(join(staging, STAGED.table))})`;
  return withDuckDb(async (connection) => {
    const known = await queryRows<{ id: string; rows: number }>(
      connection,
      `SELECT "_series" AS id, CAST(count(*) AS DOUBLE) AS rows FROM ${source} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${MOST_SERIES + 1}`,
    );
    const chosen = known.slice(0, MOST_SERIES).map(({ id }) => id);
    const warnings: FieldProblem[] =
      known.length > MOST_SERIES
        ? [{ path: 'training_data', message: `only the ${MOST_SERIES} longest series got a forecast of their own` }]
        : [];
    const raw = [];
    for (const id of chosen) {
      const columns = await queryColumns(connection, `SELECT * FROM ${source} WHERE "_series" = ${quoteText(id)}`);
      const numbers = columns.slice(1).map(({ values }) => Float64Array.from(values, toNumber));
      raw.push({ id, times: numbers[0] ?? new Float64Array(0), values: numbers.slice(1) });
    }
    const stepMs = settings.step_seconds ? settings.step_seconds * 1000 : commonStep(raw.map(({ times }) => times));
    if (stepMs === undefined)
      throw new ServiceError(
        'training_data_insufficient',
        `No series of ${plan.datasetId} has two measurements at different times: there is nothing to forecast.`,
      );
    const series: UsageSeries[] = [];
    const repairs = new Map<string, number>();
    for (const { id, times, values } of raw) {
      const grid = layOnGrid(times, values, stepMs);
      if (!grid) {
        warnings.push({
          path: `series.${id}`,
          message: 'has fewer than two steps, or more than a million, and was left out',
        });
        continue;
      }
      for (const { kind, count } of grid.repairs) repairs.set(kind, (repairs.get(kind) ?? 0) + count);
      series.push({ id, startMs: grid.startMs, values: grid.columns });
    }
    for (const [kind, count] of repairs)
      warnings.push({ path: 'training_data', message: `${count} times: ${REPAIRS[kind] ?? kind}` });
    const rows = raw.reduce((sum, { times }) => sum + times.length, 0);
    return { series, stepMs, warnings, rows };
  });
}

const REPAIRS: Record<string, string> = {
  sorted: 'a measurement stood before an earlier one and was moved to its place',
  averaged_repeats: 'several measurements of one step were averaged',
  moved_to_grid: 'a measurement was moved to the nearest step',
  gaps: 'a step had no measurement and is a gap',
};

/** Times are numbers here, missing values NaN. */
const toNumber = (value: unknown): number =>
  typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : NaN;

/** The median step of the series, each by its own median difference. */
function commonStep(times: readonly Float64Array[]): number | undefined {
  const steps = times.flatMap((own) => {
    const differences = own
      .slice(1)
      .map((time, i) => time - own[i]!)
      .filter((difference) => difference > 0)
      .sort();
    return differences.length > 0 ? [differences[(differences.length - 1) >> 1]!] : [];
  });
  return steps.sort((a, b) => a - b)[(steps.length - 1) >> 1];
}
