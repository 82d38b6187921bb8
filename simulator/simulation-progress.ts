import type { RowBatch } from './simulate-platform.js';
import type { SimulationParameters } from './simulation-parameters.js';

/**
 * Works out how far a simulation is: the rows written of all that there will be. Those of the services are counted beforehand,
 * and those of the users foreseen from the users so far.
 * @returns a function that takes each batch as it is written and answers with the share that is done, in [0, 1]
 */
export function followSimulation(parameters: SimulationParameters): (batch: RowBatch) => number {
  const days = (Date.parse(parameters.end) - Date.parse(parameters.start)) / 86_400_000;
  const metricRows = parameters.services * days * ((24 * 60) / parameters.metricsStepMinutes);
  let userRows = 0;
  let usersShare = 0;
  let metricRowsDone = 0;
  return ({ table, rows, share }) => {
    if (table === 'resource_metrics') {
      usersShare = 1;
      metricRowsDone += rows.length;
    } else {
      usersShare = share;
      userRows += rows.length;
    }
    // Nothing of the users is known before the first batch of them, and a simulation without services has no metrics.
    const all = (usersShare > 0 ? userRows / usersShare : 0) + metricRows;
    return all === 0 ? 0 : Math.min(1, (userRows + metricRowsDone) / all);
  };
}
