import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { featureNameOf, type FeatureView } from '../../core/schemas/feature-view.js';
import type { Database } from '../database/database.js';
import { withDuckDb } from '../duckdb.js';
import { featuresOf } from './join-views.js';
import { OnDemandFeatures } from './on-demand.js';
import { findLeak } from './find-leak.js';
import { filesOfInputs, findInputs } from './view-inputs.js';
import { openViewRows } from './view-rows.js';
import { lockConnection, refuseUnsafeSql } from './view-sandbox.js';

/** A check on a caller's time takes no longer; a materialization looks again, with all the time that it needs. */
const LONGEST_MS = 15_000;

/**
 * Holds a definition to what can be checked before anybody relies on it: its SQL is one that is allowed, fits the data that there is, and does
 * not look into the future.
 * @throws ServiceError `request_invalid` with the path of what is wrong
 */
export async function checkView(
  view: string,
  definition: FeatureView,
  { database, datasetsFolder }: { database: Database; datasetsFolder: string },
): Promise<void> {
  refuseLongNames(view, definition);
  await withDuckDb((connection) => refuseUnsafeSql(connection, definition));
  await refuseBadExpressions(definition);
  const inputs = await findInputs(database.prisma, definition).catch((error: unknown) => {
    // A view may be declared before its data is there.
    if (error instanceof ServiceError && error.code === 'dataset_not_found') return undefined;
    throw error;
  });
  if (!inputs) return;
  const files = await filesOfInputs(inputs, datasetsFolder);
  await withDuckDb(async (connection) => {
    await lockConnection(connection, Object.values(files).flat());
    const timer = setTimeout(() => connection.interrupt(), LONGEST_MS);
    try {
      await openViewRows(connection, definition, files, '_rows');
      const leak = await findLeak(connection, definition, files);
      if (leak !== undefined)
        throw new ServiceError('request_invalid', `The SQL of ${view} ${leak}.`, [{ path: 'sql', message: leak }]);
    } catch (error) {
      if (!/INTERRUPT/i.test(String(error))) throw error;
    } finally {
      clearTimeout(timer);
    }
  });
}

function refuseLongNames(view: string, definition: FeatureView): void {
  const problems = featuresOf(definition)
    .map(({ name }) => featureNameOf(view, name))
    .filter((name) => name.length > 63)
    .map((name): FieldProblem => ({ path: 'features', message: `${name} has more than 63 characters` }));
  if (problems.length > 0)
    throw new ServiceError('request_invalid', `A name is too long: ${problems[0]!.message}.`, problems);
}

/** On-demand features need no data, so that they can be tried at once. */
async function refuseBadExpressions(definition: FeatureView): Promise<void> {
  const onDemand = new OnDemandFeatures();
  try {
    for (const [name, feature] of Object.entries(definition.on_demand)) {
      try {
        await onDemand.compute({ ...definition, on_demand: { [name]: feature } }, [{}]);
      } catch (error) {
        const message = (error instanceof Error ? error.message : String(error)).split('\n\n', 1)[0]!.slice(0, 500);
        throw new ServiceError('request_invalid', `on_demand.${name} cannot be computed: ${message}`, [
          { path: `on_demand.${name}.expression`, message },
        ]);
      }
    }
  } finally {
    await onDemand.close();
  }
}
