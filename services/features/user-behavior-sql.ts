import {
  ACTIVE_USER_DAYS,
  AI_EVENT_TYPES,
  COLLABORATION_EVENT_TYPES,
  ENGAGEMENT_EVENTS_PER_30_DAYS,
  MOST_RECENT_ACTIVITIES,
  NO_CATEGORY,
  SHARED_EVENT_TYPES,
  USER_BEHAVIOR_FEATURES,
} from './user-behavior-columns.js';
import { quoteText } from '../duckdb.js';

const DAY_MS = 86_400_000;
const DAY_US = 86_400_000_000;

const listOf = (values: readonly string[]): string => values.map(quoteText).join(', ');

/** What the feature query reads and how far back it looks. */
export interface FeatureQuery {
  /** A table of `user_id, event_type, project_id, occurred_at, ordinal, previous_type, previous_at`, see `orderedEventsSql`. */
  eventsTable: string;
  /** As-of times as ISO-8601 in UTC. */
  asOfTimes: readonly string[];
  lookbackDays: number;
  /** Only users with an event in the last 30 days. */
  activeUsersOnly: boolean;
}

/**
 * The events in the order in which each user made them. Ties in time are broken by the event id, so that the order,
 * and with it every feature, does not depend on how the files are laid out.
 */
export function orderedEventsSql(source: string, occurredAt: string, where: string): string {
  return `
SELECT user_id, event_type, project_id, occurred_at,
  row_number() OVER in_order AS ordinal,
  lag(event_type) OVER in_order AS previous_type,
  lag(occurred_at) OVER in_order AS previous_at
FROM (SELECT * REPLACE (${occurredAt} AS occurred_at) FROM ${source}) AS source
WHERE ${where}
WINDOW in_order AS (PARTITION BY user_id ORDER BY occurred_at, event_id)`;
}

/**
 * The events in [as_of + fromDays, as_of + toDays) of each as-of time, with that time as `as_of`. One filtered scan a time
 * is several times faster than a join on the range, which sorts all events.
 */
function eventsAroundSql({ eventsTable, asOfTimes }: FeatureQuery, fromDays: number, toDays: number): string {
  const scans = asOfTimes.map((time) => {
    const bound = (days: number): string => timestampText(new Date(Date.parse(time) + days * DAY_MS));
    const asOf = timestampText(new Date(time));
    return `SELECT ${asOf} AS as_of, * FROM ${eventsTable} WHERE occurred_at >= ${bound(fromDays)} AND occurred_at < ${bound(toDays)}`;
  });
  return scans.join(' UNION ALL ');
}

/** A time as a TIMESTAMP in UTC. */
function timestampText(time: Date): string {
  return `TIMESTAMP ${quoteText(time.toISOString().replace('T', ' ').replace('Z', ''))}`;
}

/**
 * The one text that both training and serving compute features with: a row a user and as-of time, from events in
 * [as_of - lookback, as_of) and from nothing else. Sums are of integers and each feature is rounded once, at its last
 * division, so that the result is the same to the bit whatever the number of threads and as-of times.
 */
export function featuresSql(query: FeatureQuery): string {
  const columns = USER_BEHAVIOR_FEATURES.map(({ name, type }) =>
    type === 'number' ? `CAST(${name} AS DOUBLE) AS ${name}` : name,
  );
  return `WITH ${windowSql(query)},
${totalsSql()},
${habitSql()}
SELECT user_id, as_of, ${columns.join(', ')}
FROM (${expressionsSql(query.lookbackDays)})
${query.activeUsersOnly ? `WHERE days_since_last_event <= ${ACTIVE_USER_DAYS}` : ''}
ORDER BY as_of, user_id`;
}

/** `seen`: the events that each as-of time may look at. `days`: the same, a row a day. */
function windowSql(query: FeatureQuery): string {
  const { lookbackDays } = query;
  return `seen AS (
  SELECT *, (epoch_us(as_of) - epoch_us(occurred_at) - 1) // ${DAY_US} AS days_ago,
    coalesce(CASE WHEN previous_at >= as_of - INTERVAL ${lookbackDays} DAY THEN previous_type END, ${quoteText(NO_CATEGORY)}) AS before_it
  FROM (${eventsAroundSql(query, -lookbackDays, 0)})
),
days AS (
  SELECT as_of, user_id, days_ago, count(*) AS events,
    bool_or(event_type IN (${listOf(AI_EVENT_TYPES)})) AS used_ai
  FROM seen GROUP BY as_of, user_id, days_ago
)`;
}

/** `by_event` and `by_day`: what is counted over events and over days. */
function totalsSql(): string {
  return `by_event AS (
  SELECT as_of, user_id, count(*) AS events, count(DISTINCT project_id) AS project_count,
    count(*) FILTER (WHERE event_type IN (${listOf(COLLABORATION_EVENT_TYPES)})) AS collaborations,
    ${SHARED_EVENT_TYPES.map((type) => `count(*) FILTER (WHERE event_type = ${quoteText(type)}) AS ${type}_events,`).join(' ')}
    epoch_us(as_of) - epoch_us(max(occurred_at)) AS silence_us,
    epoch_us(as_of) - epoch_us(min(occurred_at)) AS tenure_us,
    arg_max(event_type, ordinal) AS last_activity,
    arg_max(before_it, ordinal) AS second_last_activity
  FROM seen GROUP BY as_of, user_id
),
by_day AS (
  SELECT as_of, user_id, count(*) AS active_days,
    count(*) FILTER (WHERE days_ago < 7) AS active_days_7,
    count(*) FILTER (WHERE days_ago < 30) AS active_days_30,
    sum(CASE WHEN days_ago < 7 THEN 8 WHEN days_ago < 14 THEN 4 WHEN days_ago < 21 THEN 2 WHEN days_ago < 28 THEN 1 ELSE 0 END) AS week_points,
    coalesce(sum(events) FILTER (WHERE days_ago < 7), 0) AS events_7,
    coalesce(sum(events) FILTER (WHERE days_ago < 28), 0) AS events_28,
    coalesce(sum(events) FILTER (WHERE days_ago < 30), 0) AS events_30,
    count(*) FILTER (WHERE used_ai) AS ai_days,
    max(days_ago) - min(days_ago) AS span_days
  FROM days GROUP BY as_of, user_id
)`;
}

/** `habit`: what most often followed an activity like the last one. */
function habitSql(): string {
  return `followers AS (
  SELECT s.as_of, s.user_id, s.event_type, count(*) AS times, max(s.ordinal) AS latest
  FROM seen s JOIN by_event t ON t.as_of = s.as_of AND t.user_id = s.user_id AND s.before_it = t.last_activity
  GROUP BY s.as_of, s.user_id, s.event_type
),
habit AS (
  SELECT as_of, user_id, arg_max(event_type, {'times': times, 'latest': latest}) AS habitual_next_activity,
    max(times) AS times, sum(times) AS occasions
  FROM followers GROUP BY as_of, user_id
)`;
}

/** The definitions of the features themselves. */
function expressionsSql(lookbackDays: number): string {
  return `
  SELECT *, days_since_last_event / typical_gap_days AS silence_ratio FROM (
    SELECT user_id, as_of, project_count, active_days_7, active_days_30, events_7, events_30, last_activity, second_last_activity,
      week_points / 105 AS activity_score,
      collaborations / events AS collaboration_score,
      ${SHARED_EVENT_TYPES.map((type) => `${type}_events / events AS ${type}_share,`).join(' ')}
      ai_days / active_days AS ai_usage_frequency,
      silence_us / ${DAY_US} AS days_since_last_event,
      events / active_days AS events_per_active_day,
      3 * (events_7 + 1) / (events_28 - events_7 + 3) AS events_trend,
      tenure_us / ${DAY_US} AS tenure_days,
      CASE WHEN active_days > 1 THEN span_days / (active_days - 1) ELSE ${lookbackDays} END AS typical_gap_days,
      coalesce(times / occasions, 0) AS habit_strength,
      coalesce(habitual_next_activity, ${quoteText(NO_CATEGORY)}) AS habitual_next_activity
    FROM by_event JOIN by_day USING (as_of, user_id) LEFT JOIN habit USING (as_of, user_id)
  )`;
}

/** The features with the labels, from events in [as_of, as_of + horizon), and with the latest activities before the as-of time. */
export function labelledRowsSql(query: FeatureQuery, horizonDays: number): string {
  const bound = (level: 'medium' | 'high'): number => (ENGAGEMENT_EVENTS_PER_30_DAYS[level] * horizonDays) / 30;
  return `WITH features AS (${featuresSql(query)}),
ahead AS (
  SELECT as_of, user_id, count(*) AS events, arg_min(event_type, ordinal) AS next_activity
  FROM (${eventsAroundSql(query, 0, horizonDays)}) GROUP BY as_of, user_id
),
recent AS (
  SELECT as_of, user_id, list(event_type ORDER BY ordinal)[-${MOST_RECENT_ACTIVITIES}:] AS recent_activities, max(ordinal) AS last_ordinal
  FROM (${eventsAroundSql(query, -query.lookbackDays, 0)}) GROUP BY as_of, user_id
)
SELECT features.*, ahead.events IS NULL AS churn_flag,
  CASE WHEN ahead.events >= ${bound('high')} THEN 'high' WHEN ahead.events >= ${bound('medium')} THEN 'medium' ELSE 'low' END AS engagement_level,
  ahead.next_activity, recent.recent_activities, recent.last_ordinal
FROM features LEFT JOIN ahead USING (as_of, user_id) LEFT JOIN recent USING (as_of, user_id)
ORDER BY as_of, user_id`;
}
