/** A second, plain computation of the features and labels, row by row in TypeScript, to hold the SQL against. */
export interface OracleEvent {
  event_id: string;
  user_id: string;
  event_type: string;
  project_id: string | null;
  /** Milliseconds since 1970. */
  at: number;
}

const DAY_MS = 86_400_000;
const TYPES = [
  'login',
  'code_generation',
  'code_review',
  'commit',
  'deployment',
  'collaboration',
  'ai_chat',
  'documentation',
];

/** Events of one user in order: by time, then by id. */
export function inOrder(events: readonly OracleEvent[], user: string): OracleEvent[] {
  return events
    .filter((event) => event.user_id === user)
    .sort((a, b) => a.at - b.at || (a.event_id < b.event_id ? -1 : 1));
}

/** The features as documented, or undefined for a user without an event in the lookback. */
export function oracleFeatures(events: readonly OracleEvent[], user: string, asOf: number, lookbackDays: number) {
  const seen = inOrder(events, user).filter(({ at }) => at < asOf && at >= asOf - lookbackDays * DAY_MS);
  const last = seen.at(-1);
  const first = seen[0];
  if (last === undefined || first === undefined) return undefined;
  const daysAgo = (event: OracleEvent): number => Math.ceil((asOf - event.at) / DAY_MS) - 1;
  const activeDays = [...new Set(seen.map(daysAgo))];
  const active = (from: number, to: number): number => activeDays.filter((day) => day >= from && day < to).length;
  const within = (days: number): number => seen.filter((event) => daysAgo(event) < days).length;
  const aiDays = new Set(
    seen.filter((event) => ['ai_chat', 'code_generation'].includes(event.event_type)).map(daysAgo),
  );
  const share = (...types: string[]): number =>
    seen.filter((event) => types.includes(event.event_type)).length / seen.length;
  const silence = ((asOf - last.at) * 1000) / (DAY_MS * 1000);
  const gap =
    activeDays.length > 1
      ? (Math.max(...activeDays) - Math.min(...activeDays)) / (activeDays.length - 1)
      : lookbackDays;
  return {
    activity_score: (8 * active(0, 7) + 4 * active(7, 14) + 2 * active(14, 21) + active(21, 28)) / 105,
    project_count: new Set(seen.flatMap(({ project_id }) => project_id ?? [])).size,
    collaboration_score: share('collaboration', 'code_review'),
    ai_usage_frequency: aiDays.size / activeDays.length,
    days_since_last_event: silence,
    active_days_7: active(0, 7),
    active_days_30: active(0, 30),
    events_7: within(7),
    events_30: within(30),
    events_per_active_day: seen.length / activeDays.length,
    events_trend: (3 * (within(7) + 1)) / (within(28) - within(7) + 3),
    tenure_days: (asOf - first.at) / DAY_MS,
    typical_gap_days: gap,
    silence_ratio: silence / gap,
    ...Object.fromEntries(TYPES.map((type) => [`${type}_share`, share(type)])),
    ...habit(seen),
    last_activity: last.event_type,
    second_last_activity: seen.at(-2)?.event_type ?? 'none',
  };
}

function habit(seen: readonly OracleEvent[]): { habit_strength: number; habitual_next_activity: string } {
  const followers = new Map<string, { times: number; latest: number }>();
  let occasions = 0;
  seen.forEach((event, index) => {
    if (index === 0 || seen[index - 1]?.event_type !== seen.at(-1)?.event_type) return;
    occasions += 1;
    followers.set(event.event_type, { times: (followers.get(event.event_type)?.times ?? 0) + 1, latest: index });
  });
  const [best] = [...followers].sort(([, a], [, b]) => b.times - a.times || b.latest - a.latest);
  if (best === undefined) return { habit_strength: 0, habitual_next_activity: 'none' };
  return { habit_strength: best[1].times / occasions, habitual_next_activity: best[0] };
}

/** The labels as documented. */
export function oracleLabels(events: readonly OracleEvent[], user: string, asOf: number, horizonDays: number) {
  const ahead = inOrder(events, user).filter(({ at }) => at >= asOf && at < asOf + horizonDays * DAY_MS);
  const pace = (ahead.length * 30) / horizonDays;
  return {
    churn_flag: ahead.length === 0,
    engagement_level: pace >= 60 ? 'high' : pace >= 15 ? 'medium' : 'low',
    next_activity: ahead[0]?.event_type ?? null,
  };
}

/** The latest 48 events before the as-of time, and how many of the user's events come up to the last of them. */
export function oracleSequence(events: readonly OracleEvent[], user: string, asOf: number, lookbackDays: number) {
  const all = inOrder(events, user);
  const seen = all.filter((event) => event.at >= asOf - lookbackDays * DAY_MS && event.at < asOf);
  return {
    recent_activities: seen.slice(-48).map((event) => event.event_type),
    last_ordinal: all.filter((event) => event.at < asOf).length,
  };
}
