import { ServiceError } from '../../../core/errors.js';
import { quoteIdentifier, quoteText } from '../../duckdb.js';
import { buildUserBehaviorTrainingTable, FeatureInputError } from '../../features/user-behavior-features.js';
import { writeJoinedTable } from '../../features/write-joined-table.js';
import { filesOfPlan, stageTable, writeSelection } from '../../training/select-rows.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { settingsOf } from './plan.js';

/** Column that the training table has besides features and targets: the entity. */
export const GROUP_COLUMN = '_group';
/** Below this there is nothing to learn from, and nothing to measure it with. */
export const LEAST_ROWS = 20;

/**
 * Writes the table that the fit reads: features as of a time, the truths from after it, and the entity that a row
 * belongs to. For anyone's own table it is a selection of its columns, in order of time where the split asks for it.
 * @throws ServiceError `training_data_insufficient` with fewer than 20 rows.
 */
export async function buildTrainingTable(
  plan: TrainingPlan,
  folders: { datasets: string; staging: string },
): Promise<{ rows: number }> {
  const ownRows = await filesOfPlan(plan, folders);
  if (plan.kind === 'user_behavior') return buildUserBehavior(plan, ownRows, folders.staging);
  const sources = plan.featureViews
    ? [
        await writeJoinedTable({
          views: plan.featureViews,
          entity: plan.entity!,
          timestamp: plan.timestamp!,
          source: ownRows,
          datasetsFolder: folders.datasets,
          staging: folders.staging,
        }),
      ]
    : ownRows;
  const { split, project } = settingsOf(plan);
  const columns = plan.features.map(quoteIdentifier);
  for (const head of plan.heads) {
    const target = quoteIdentifier(head.column);
    // A project that failed stopped early: its days say nothing about how long finishing takes.
    const success = `${quoteIdentifier(plan.heads[0]!.column)} = ${quoteText(project?.success_value ?? '')}`;
    columns.push(
      project && head.task === 'regression' ? `CASE WHEN ${success} THEN ${target} END AS ${target}` : target,
    );
  }
  const group = plan.entity ? quoteIdentifier(plan.entity) : 'row_number() OVER ()';
  return stageTable(folders.staging, LEAST_ROWS, (connection, file) =>
    writeSelection(connection, plan, sources, file, {
      columns: [`CAST(${group} AS VARCHAR) AS ${quoteIdentifier(GROUP_COLUMN)}`, ...columns],
      conditions: [`${quoteIdentifier(plan.heads[0]!.column)} IS NOT NULL`],
      orderBy: split === 'time' ? quoteIdentifier(plan.timestamp!) : undefined,
    }),
  );
}

function buildUserBehavior(plan: TrainingPlan, files: readonly string[], staging: string): Promise<{ rows: number }> {
  return stageTable(staging, LEAST_ROWS, async (connection, file) => {
    try {
      const { rows } = await buildUserBehaviorTrainingTable({
        connection,
        eventFiles: files,
        outputFile: file,
        asOf: { startDate: plan.startDate, endDate: plan.endDate },
        filters: plan.filters,
      });
      return rows;
    } catch (error) {
      if (error instanceof FeatureInputError)
        throw new ServiceError('request_invalid', error.message, [{ path: error.path, message: error.message }]);
      throw error;
    }
  });
}
