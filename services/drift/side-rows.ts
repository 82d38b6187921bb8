import type { Period } from '../../core/monitoring/choose-reference.js';
import { quoteText } from '../duckdb.js';
import type { SideRows } from './lay-out-cells.js';

const ITEMS = "unnest(json_extract_string(predictions, '$.items[*].item_id')) AS item";
const HOUR_MS = 3_600_000;

/** Rows of the log in some periods, by group. Labels are those of rows that are old enough for their truth to have come. */
export function logRows(
  periods: readonly Period[],
  { version, maturityHours }: { version: string; maturityHours: number },
): SideRows {
  const ofVersion = `version = ${quoteText(version)}`;
  const own = `${selectPeriods(periods, 0)} AND ${ofVersion}`;
  return {
    inputs: selectPeriods(periods, 0),
    predictions: own,
    labels: `${selectPeriods(periods, maturityHours)} AND ${ofVersion} AND outcome IS NOT NULL`,
    items: `SELECT id, slot, ${ITEMS} FROM (${own})`,
  };
}

/** Rows that were held out in training, by group. */
export const TRAINING_ROWS: SideRows = {
  inputs: 'SELECT id, features, predictions, outcome, 0 AS slot FROM training_rows',
  predictions:
    "SELECT id, features, predictions, outcome, 0 AS slot FROM training_rows WHERE json_type(predictions) = 'OBJECT'",
  labels: 'SELECT id, features, predictions, outcome, 0 AS slot FROM training_rows WHERE outcome IS NOT NULL',
};

function selectPeriods(periods: readonly Period[], earlierHours: number): string {
  const within = ({ start, end }: Period) => {
    const [from, to] = [start, end].map((at) => quoteText(new Date(Number(at) - earlierHours * HOUR_MS).toISOString()));
    return `logged_at >= TIMESTAMPTZ ${from} AND logged_at < TIMESTAMPTZ ${to}`;
  };
  const slots = periods.map((period, slot) => `WHEN ${within(period)} THEN ${slot}`).join(' ');
  return `SELECT id, features, predictions, outcome, CASE ${slots} END AS slot FROM log_rows WHERE (${periods.map((period) => `(${within(period)})`).join(' OR ')})`;
}
