import { ServiceError } from '../../core/errors.js';
import { featureNameOf, type HistoricalRequest, type ViewVersion } from '../../core/schemas/feature-view.js';
import type { Database } from '../database/database.js';
import { queryRows, withDuckDb } from '../duckdb.js';
import { featuresOf, joinViews } from './join-views.js';
import type { FeatureValue, FeatureValues } from './on-demand.js';
import { filesOfInputs, findInputs } from './view-inputs.js';
import type { SourceFiles } from './view-rows.js';
import { lockConnection } from './view-sandbox.js';
import type { ViewStore } from './view-store.js';

/** A question to the API takes no longer; longer ones belong into a training. */
const LONGEST_MS = 30_000;

/** Values that requests add, as columns of `asked`. */
const REQUEST_TYPES = { number: 'DOUBLE', string: 'VARCHAR', boolean: 'BOOLEAN' } as const;

/**
 * What was known of entities at given times, never anything later.
 * @throws ServiceError `feature_view_not_found`, `dataset_not_found`, `request_invalid`, or `deadline_exceeded` after 30 s
 */
export async function readHistorical(
  { views: names, entities }: HistoricalRequest,
  { database, views, datasetsFolder }: { database: Database; views: ViewStore; datasetsFolder: string },
) {
  const unique = [...new Set(names)];
  const versions = await Promise.all(unique.map((view) => views.latest(view)));
  const joined: (ViewVersion & { files: SourceFiles })[] = [];
  for (const version of versions) {
    const inputs = await findInputs(database.prisma, version.definition);
    joined.push({ ...version, files: await filesOfInputs(inputs, datasetsFolder) });
  }
  const request = Object.fromEntries(joined.flatMap(({ definition }) => Object.entries(definition.request)));
  const files = joined.flatMap(({ files: own }) => Object.values(own).flat());
  const found = await withDuckDb(async (connection) => {
    await lockConnection(connection, files);
    const shape = Object.entries(request).map(([name, { type }]) => `${JSON.stringify(name)}:"${REQUEST_TYPES[type]}"`);
    const asked = entities.map(({ entity_id, as_of, request: values = {} }, ask) => ({
      ...Object.fromEntries(Object.keys(request).map((name) => [name, values[name] ?? null])),
      _ask: ask,
      _entity: entity_id,
      _at_us: Date.parse(as_of) * 1000,
    }));
    await connection.run(
      `CREATE TEMP TABLE asked AS SELECT unnest(from_json($asked::JSON, '[{"_ask":"BIGINT","_entity":"VARCHAR","_at_us":"BIGINT"${shape.map((one) => `,${one}`).join('')}}]'), recursive := true)`,
      { asked: JSON.stringify(asked) },
    );
    const timer = setTimeout(() => connection.interrupt(), LONGEST_MS);
    try {
      const table = await joinViews(connection, 'asked', joined, new Set(Object.keys(request)));
      return await queryRows<FeatureValues>(connection, `SELECT * FROM ${table} ORDER BY _ask`);
    } catch (error) {
      if (!/INTERRUPT/i.test(String(error))) throw error;
      throw new ServiceError(
        'deadline_exceeded',
        `The views could not be joined within ${LONGEST_MS / 1000} s. Ask for fewer entities, or name the views in a model entry: a training has the time.`,
      );
    } finally {
      clearTimeout(timer);
    }
  });
  return { items: found.map((row, at) => presentRow(row, entities[at]!, versions)) };
}

function presentRow(
  row: FeatureValues,
  { entity_id, as_of }: { entity_id: string; as_of: string },
  versions: readonly ViewVersion[],
) {
  const features: Record<string, FeatureValue> = {};
  const views: Record<string, { version: number; status: FeatureValue; age_seconds: FeatureValue }> = {};
  for (const { view, version, definition } of versions) {
    for (const { name } of featuresOf(definition))
      features[featureNameOf(view, name)] = row[featureNameOf(view, name)] ?? null;
    views[view] = {
      version,
      status: row[featureNameOf(view, 'status')]!,
      age_seconds: row[featureNameOf(view, 'age_seconds')] ?? null,
    };
  }
  return { entity_id, as_of: new Date(as_of).toISOString(), features, views };
}
