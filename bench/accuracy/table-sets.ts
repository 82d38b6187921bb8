import { join } from 'node:path';
import { quoteText } from '../../services/duckdb.js';

/** A real table, how it is read and how it is split. */
export interface TableSet {
  /** As `baselines.json` calls it. */
  name: string;
  /** A query whose columns are the features and `target`; its rows stand in the order of the file. */
  sql: (dataDir: string) => string;
  task: 'classification' | 'regression';
  /** Five folds by a hash of the row number, or the last 30 % of the rows. */
  split: 'folds' | 'later';
  /** Rows before this condition's columns are judged against; only for a term that is known by name. */
  laterColumn?: string;
  /** The best answer without any learning, where it is not the majority or the median. */
  note?: string;
  /** No library finds anything here: the right answer is to refuse. */
  isHopeless?: boolean;
  /** The later rows follow another law: probabilities learned before cannot be calibrated for them. */
  isDrifting?: boolean;
}

const csv = (folder: string, file: string, options = '') => `read_csv(${quoteText(join(folder, file))}${options})`;
/** Rows keep their numbers, for the folds. */
const numbered = (select: string, from: string, where = 'true') =>
  `SELECT ${select} FROM (SELECT *, row_number() OVER () AS row_order FROM ${from}) AS source WHERE ${where} ORDER BY row_order`;

const bank = (exclude: string) => (folder: string) =>
  numbered(`* EXCLUDE (Class, row_order${exclude}), Class = 2 AS target`, csv(folder, 'bank_marketing.csv.gz'));
const shoppers = (exclude: string) => (folder: string) =>
  numbered(
    `* EXCLUDE (Revenue, row_order${exclude}) REPLACE (OperatingSystems::VARCHAR AS OperatingSystems, Browser::VARCHAR AS Browser, Region::VARCHAR AS Region, TrafficType::VARCHAR AS TrafficType), Revenue::VARCHAR IN ('1', 'true', 'TRUE') AS target`,
    csv(folder, 'online_shoppers.csv.gz'),
  );

/** A student's enrolment with what he had handed in by day 60. @param target SQL over `final_result` */
export const oulad = (target: string) => (folder: string) => `
WITH work AS (
  SELECT a.code_module, a.code_presentation, s.id_student, s.date_submitted, TRY_CAST(s.score AS DOUBLE) AS score, TRY_CAST(a.date AS DOUBLE) AS due, a.weight, a.assessment_type
  FROM ${csv(folder, 'oulad/student_assessment.csv.gz', ", nullstr='?'")} AS s
  JOIN ${csv(folder, 'oulad/assessments.csv.gz', ", nullstr='?'")} AS a USING (id_assessment)
  WHERE s.is_banked = 0 AND s.date_submitted <= 60),
made AS (
  SELECT code_module, code_presentation, id_student, count(*) AS submissions, avg(score) AS mean_score, min(score) AS least_score,
    arg_max(score, date_submitted) AS last_score, max(date_submitted) AS last_day, min(date_submitted) AS first_day,
    avg(date_submitted - due) AS mean_lateness, max(date_submitted - due) AS most_lateness, sum(weight) AS weight_done,
    count(*) FILTER (WHERE date_submitted > due) AS late, sum(score * weight) AS weighted_score,
    count(*) FILTER (WHERE assessment_type = 'TMA') AS tutor_marked
  FROM work GROUP BY ALL),
due AS (
  SELECT code_module, code_presentation, count(*) AS due_by_then, sum(weight) AS weight_due
  FROM ${csv(folder, 'oulad/assessments.csv.gz', ", nullstr='?'")} WHERE TRY_CAST(date AS DOUBLE) <= 60 GROUP BY ALL),
info AS (SELECT *, row_number() OVER () AS row_order FROM ${csv(folder, 'oulad/student_info.csv.gz', ", nullstr='?'")})
SELECT info.* EXCLUDE (id_student, final_result, row_order), made.* EXCLUDE (code_module, code_presentation, id_student),
  due_by_then, weight_due, submissions / due_by_then AS share_done, weight_done / weight_due AS share_weight,
  60 - last_day AS silence, ${target} AS target
FROM info JOIN made USING (code_module, code_presentation, id_student) LEFT JOIN due USING (code_module, code_presentation)
ORDER BY row_order`;

const project = (file: string) => (folder: string) =>
  csv(folder, `software_projects/${file}.csv`, ", nullstr=['?', 'NA', '']");
/** Planned and actual days of the projects whose plan is known. */
const kitchenham = (target: string) => (folder: string) =>
  numbered(
    `"Client.code"::VARCHAR AS client, "Project.type" AS type, "First.estimate.method" AS method, "Adjusted.function.points" AS points, "First.estimate" AS estimate, year("Actual.start.date"::DATE) AS year, month("Actual.start.date"::DATE) AS month, planned, ${target} AS target`,
    `(SELECT *, date_diff('day', "Actual.start.date"::DATE, "Estimated.completion.date"::DATE) AS planned FROM ${project('kitchenham')(folder)})`,
    'planned > 0 AND "Project.type" IS NOT NULL OR planned > 0',
  );
const podlings = (folder: string) =>
  numbered(
    `length(description) AS description_length, len(string_split(description, ' ')) AS words, length(name) AS name_length, CAST(substr(started, 1, 4) AS INTEGER) AS year, CAST(substr(started, 6, 2) AS INTEGER) AS month, contains(lower(description), 'java') AS java, contains(lower(description), 'data') AS data, contains(lower(description), 'web') AS web, status = 'graduated' AS target`,
    csv(folder, 'apache_podlings.csv.gz', ', all_varchar = true'),
    "status <> 'current'",
  );

const WITHDRAWN = `final_result = 'Withdrawn'`;

/** The classifications and regressions of the data folder, with what their README says must not be known. */
export const TABLE_SETS: readonly TableSet[] = [
  {
    name: 'telco_churn',
    sql: (folder) =>
      numbered(
        `* EXCLUDE (customerID, Churn, row_order) REPLACE (TRY_CAST(TotalCharges AS DOUBLE) AS TotalCharges), Churn = 'Yes' AS target`,
        csv(folder, 'telco_churn.csv.gz'),
      ),
    task: 'classification',
    split: 'folds',
  },
  { name: 'bank_marketing', sql: bank(''), task: 'classification', split: 'folds' },
  { name: 'bank_marketing without duration', sql: bank(', V12'), task: 'classification', split: 'folds' },
  { name: 'online_shoppers', sql: shoppers(''), task: 'classification', split: 'folds' },
  { name: 'online_shoppers without PageValues', sql: shoppers(', PageValues'), task: 'classification', split: 'folds' },
  {
    name: 'jm1_defects',
    sql: (folder) =>
      numbered(
        `* EXCLUDE (defects, row_order), defects::VARCHAR = 'true' AS target`,
        csv(folder, 'jm1_defects.csv.gz', ", nullstr='?'"),
      ),
    task: 'classification',
    split: 'folds',
  },
  { name: 'oulad withdrawn after day 60', sql: oulad(WITHDRAWN), task: 'classification', split: 'folds' },
  {
    name: 'oulad, 2014J from earlier terms',
    sql: oulad(WITHDRAWN),
    task: 'classification',
    split: 'later',
    laterColumn: 'code_presentation',
  },
  {
    name: 'electricity, last 30 %',
    isDrifting: true,
    sql: (folder) =>
      numbered(`* EXCLUDE (class, date, row_order), class = 'UP' AS target`, csv(folder, 'electricity.csv.gz')),
    task: 'classification',
    split: 'later',
  },
  {
    name: 'weather_bellevue, last 30 %',
    sql: (folder) =>
      numbered('* EXCLUDE (rain, row_order), rain = 1 AS target', csv(folder, 'weather_bellevue.csv.gz')),
    task: 'classification',
    split: 'later',
  },
  {
    name: 'kitchenham on time (<= 10 % late)',
    sql: kitchenham('"Actual.duration" <= 1.1 * planned'),
    task: 'classification',
    split: 'folds',
  },
  {
    name: 'apache_podlings graduated',
    sql: podlings,
    task: 'classification',
    split: 'folds',
    isHopeless: true,
  },
  {
    name: 'china Duration (months)',
    sql: (folder) => {
      const names =
        'ID AFP Input Output Enquiry File Interface Added Changed Deleted PDR_AFP PDR_UFP NPDR_AFP NPDU_UFP Resource DevType Duration N_effort Effort';
      const columns = names.split(' ').map((name) => `'${name}': 'DOUBLE'`);
      return numbered(
        'AFP, Input, Output, Enquiry, File, Interface, Added, Changed, Deleted, Resource::VARCHAR AS Resource, Duration AS target',
        csv(
          folder,
          'china_projects.arff',
          `, columns={${columns.join(', ')}}, header=false, delim=',', auto_detect=false, comment='@', null_padding=true`,
        ),
        'ID IS NOT NULL AND Duration IS NOT NULL',
      );
    },
    task: 'regression',
    split: 'folds',
  },
  {
    name: 'desharnais Length (months)',
    sql: (folder) =>
      numbered(
        'TeamExp, ManagerExp, YearEnd, Transactions, Entities, PointsAdjust, Envergure, PointsNonAjust, Language::VARCHAR AS Language, Length AS target',
        csv(folder, 'software_projects/desharnais.csv', ", nullstr=['?', 'NA', '-1']"),
      ),
    task: 'regression',
    split: 'folds',
  },
  {
    name: 'maxwell Duration (months)',
    sql: (folder) =>
      numbered(
        '* EXCLUDE (Duration, Time, Effort, row_order) REPLACE (App::VARCHAR AS App, Har::VARCHAR AS Har, Dba::VARCHAR AS Dba, Ifc::VARCHAR AS Ifc, Source::VARCHAR AS Source, Telonuse::VARCHAR AS Telonuse), Duration AS target',
        csv(folder, 'software_projects/maxwell.csv'),
      ),
    task: 'regression',
    split: 'folds',
  },
  {
    name: 'kitchenham days (planned known)',
    sql: kitchenham('"Actual.duration"'),
    task: 'regression',
    split: 'folds',
    note: 'the plan that people made is off by 40.0 days: no model beats it, and none should replace it',
  },
];
