import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalModelName, NAME_PATTERN } from '../../core/names.js';
import { exportPredictions } from '../datasets/export-predictions.js';
import { loggedDaysFolder } from '../datasets/logged-days.js';
import type { Connector, SourceRequest } from './connector.js';
import { forbiddenSource } from './seal-source.js';

/** The log of the service itself: what was predicted, and what turned out to be true. */
export const predictionsConnector: Connector = {
  title: 'predictions:{model}',
  options: ['start_date', 'end_date', 'labelled'],

  async check(request) {
    return `predictions:${modelOf(request)}`;
  },

  async plan(request) {
    return { parts: [{ id: '0000001-log', label: `predictions:${modelOf(request)}`, read: {} }] };
  },

  async fetch(request, _part, { config, database, folders, folder, attempt, signal, onProgress }) {
    const { start_date: startDate, end_date: endDate, columns: only, labelled } = request.options;
    const { path, columns } = await exportPredictions(
      { model: modelOf(request), startDate, endDate, columns: only, labelled },
      {
        databaseUrl: config.databaseUrl,
        pool: database.pool,
        daysFolder: loggedDaysFolder(folders.datasets),
        workFolder: join(folder, `${attempt}-days`),
        signal,
      },
      onProgress,
    );
    return { path, format: 'csv', compression: 'none', bytes: (await stat(path)).size, columns };
  },
};

function modelOf({ source }: SourceRequest): string {
  const model = canonicalModelName(source.slice(source.indexOf(':') + 1));
  if (!NAME_PATTERN.test(model)) throw forbiddenSource('The source must name a model: predictions:user_behavior.');
  return model;
}
