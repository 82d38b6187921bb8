/** What a feature of the user behaviour model is: its column name, its type, and the words and unit that explain it. */
export interface UserBehaviorFeature {
  readonly name: string;
  readonly type: 'number' | 'category';
  readonly description: string;
  readonly unit: string;
}

/** How far back features look when the caller does not say, in days. */
export const DEFAULT_LOOKBACK_DAYS = 60;
/** How far ahead labels look when the caller does not say, in days. */
export const DEFAULT_HORIZON_DAYS = 30;
/** The distance between two as-of times when the caller does not say, in days. */
export const DEFAULT_EVERY_DAYS = 15;
/** A user with an event in this many days before the as-of time counts as active for `active_users_only`. */
export const ACTIVE_USER_DAYS = 30;

/**
 * The engagement levels, by the number of events in 30 days from the as-of time on: below `medium` is low, from `medium`
 * on it is medium, from `high` on it is high. For another horizon the bounds are scaled by `horizonDays / 30`.
 */
export const ENGAGEMENT_EVENTS_PER_30_DAYS = { medium: 15, high: 60 } as const;

/** Event types whose share of a user's events is a feature. */
export const SHARED_EVENT_TYPES = [
  'login',
  'code_generation',
  'code_review',
  'commit',
  'deployment',
  'collaboration',
  'ai_chat',
  'documentation',
] as const;
/** Event types that count as working with others. */
export const COLLABORATION_EVENT_TYPES = ['collaboration', 'code_review'] as const;
/** Event types that count as working with the AI. */
export const AI_EVENT_TYPES = ['ai_chat', 'code_generation'] as const;
/** What a category feature says where there is nothing to say, such as the second last activity of a user with one event. */
export const NO_CATEGORY = 'none';

const number = (name: string, unit: string, description: string): UserBehaviorFeature => ({
  name,
  type: 'number',
  description,
  unit,
});
const category = (name: string, description: string): UserBehaviorFeature => ({
  name,
  type: 'category',
  description,
  unit: 'event type',
});

/**
 * Every feature, in column order. All of them look only at events in [as_of - lookback, as_of). A "day" is a block of 24
 * hours that ends at the as-of time, 24 hours before it, and so on: at a midnight as-of it is the calendar day in UTC.
 */
export const USER_BEHAVIOR_FEATURES: readonly UserBehaviorFeature[] = [
  number(
    'activity_score',
    '0..1',
    'Active days of the last four weeks, where each week counts half as much as the week after it: (8 a1 + 4 a2 + 2 a3 + a4) / 105 with a1..a4 the active days of the latest to the fourth latest week.',
  ),
  number('project_count', 'projects', 'Different projects that the user touched in the lookback.'),
  number('collaboration_score', '0..1', 'Share of the events in the lookback that are collaboration or code_review.'),
  number(
    'ai_usage_frequency',
    '0..1',
    'Share of the active days in the lookback that have an ai_chat or a code_generation.',
  ),
  number('days_since_last_event', 'days', 'Time from the latest event to the as-of time, with its fraction.'),
  number('active_days_7', 'days', 'Days with an event among the last 7.'),
  number('active_days_30', 'days', 'Days with an event among the last 30.'),
  number('events_7', 'events', 'Events in the last 7 days.'),
  number('events_30', 'events', 'Events in the last 30 days.'),
  number('events_per_active_day', 'events per day', 'Events in the lookback divided by its active days.'),
  number(
    'events_trend',
    'ratio',
    'Pace of the last 7 days over that of the 21 days before: (events_7 + 1) / ((events of the 21 days before) / 3 + 1). Above 1 is speeding up.',
  ),
  number('tenure_days', 'days', 'Time from the first event in the lookback to the as-of time: at most the lookback.'),
  number(
    'typical_gap_days',
    'days',
    'Mean distance between one active day and the next in the lookback; the lookback itself for a single active day.',
  ),
  number(
    'silence_ratio',
    'ratio',
    'days_since_last_event over typical_gap_days: above 1 the user is quieter than is usual for them.',
  ),
  number(
    'habit_strength',
    '0..1',
    'How often, in the lookback, habitual_next_activity followed the last activity; 0 where nothing ever did.',
  ),
  ...SHARED_EVENT_TYPES.map((type) =>
    number(`${type}_share`, '0..1', `Share of the events in the lookback that are ${type}.`),
  ),
  category(
    'habitual_next_activity',
    'What this user most often did right after an activity like the last one; of equals the more recent. "none" where nothing ever followed it.',
  ),
  category('last_activity', 'The event type of the latest event.'),
  category('second_last_activity', 'The event type of the event before the latest one, "none" for a single event.'),
];

/** The label columns, in column order, after the features. `next_activity` is null where the horizon holds no event. */
export const USER_BEHAVIOR_LABELS = ['churn_flag', 'engagement_level', 'next_activity'] as const;

/** Events that `recent_activities` holds at most. */
export const MOST_RECENT_ACTIVITIES = 48;
/**
 * What a user did last before the as-of time, in column order, after the labels: `recent_activities`, the types of the latest
 * events in the lookback, the latest last; `last_ordinal`, the place of the latest of them among all events of the user that
 * count, so that what two rows both know can be told from what only the later one does.
 */
export const USER_BEHAVIOR_SEQUENCE = ['recent_activities', 'last_ordinal'] as const;

/** The columns of the training table, in order. */
export const USER_BEHAVIOR_COLUMNS: readonly string[] = [
  'user_id',
  'as_of',
  ...USER_BEHAVIOR_FEATURES.map((feature) => feature.name),
  ...USER_BEHAVIOR_LABELS,
  ...USER_BEHAVIOR_SEQUENCE,
];

/** A request that the features cannot be built from: where it is wrong and, where that helps, what would be right. */
export class FeatureInputError extends Error {
  override readonly name = 'FeatureInputError';
  readonly code = 'request_invalid';
  constructor(
    /** Dotted path in the request, such as `training_data.filters.plan`. */
    readonly path: string,
    message: string,
    readonly known: readonly string[] = [],
  ) {
    super(message);
  }
}
