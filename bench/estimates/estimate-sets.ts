import { join } from 'node:path';
import { quoteText } from '../../services/duckdb.js';
import { oulad, TABLE_SETS } from '../accuracy/table-sets.js';

/** A real table of two or more classes. */
export interface EstimateSet {
  name: string;
  file: string;
  /** A query whose columns are the features and `target`, in the order of the file. */
  sql: (dataDir: string) => string;
  /** Whether the order of the file is that of time. */
  isInTime: boolean;
}

const known = (name: string, file: string, isInTime: boolean): EstimateSet => ({
  name: name.split(/[, ]/)[0]!,
  file,
  sql: TABLE_SETS.find((set) => set.name === name)!.sql,
  isInTime,
});

/** The step of a ticket from the two before it. */
const helpdesk = (folder: string) => `
WITH events AS (SELECT *, row_number() OVER () AS row_order FROM read_csv(${quoteText(join(folder, 'helpdesk_events.csv.gz'))}))
SELECT coalesce(lag(activity_id) OVER ticket::VARCHAR, 'start') AS before, coalesce(lag(activity_id, 2) OVER ticket::VARCHAR, 'start') AS before_that,
  row_number() OVER ticket AS step, date_diff('minute', lag(complete_timestamp::TIMESTAMP) OVER ticket, complete_timestamp::TIMESTAMP) AS minutes,
  hour(complete_timestamp::TIMESTAMP) AS hour, dayofweek(complete_timestamp::TIMESTAMP) AS weekday, activity_id::VARCHAR AS target
FROM events WINDOW ticket AS (PARTITION BY case_id ORDER BY row_order) ORDER BY row_order`;

/** All sets with an order in time or numbers to shift, but those of fewer rows than a chunk needs. */
export const ESTIMATE_SETS: readonly EstimateSet[] = [
  known('telco_churn', 'telco_churn.csv.gz', false),
  known('bank_marketing without duration', 'bank_marketing.csv.gz', true),
  known('online_shoppers without PageValues', 'online_shoppers.csv.gz', false),
  known('electricity, last 30 %', 'electricity.csv.gz', true),
  known('weather_bellevue, last 30 %', 'weather_bellevue.csv.gz', true),
  { name: 'oulad (4 classes)', file: 'oulad/student_info.csv.gz', sql: oulad('final_result'), isInTime: false },
  { name: 'helpdesk (9 classes)', file: 'helpdesk_events.csv.gz', sql: helpdesk, isInTime: true },
];
