import type { FeatureView } from '../schemas/feature-view.js';

/** What the rows of a view come from: a change of any of it gives the features another meaning. */
const OF_ROWS = ['entity', 'event_time', 'available_time', 'sequence', 'source', 'sources', 'sql'] as const;

/**
 * Why what learnt from one definition of a view cannot be answered from another. Descriptions, owner, time to live and further features may
 * change freely.
 * @param used names of the features of the view that were learnt from
 * @param isEqual compares two plain JSON values
 * @returns one sentence part a reason; empty where the definitions are compatible
 */
export function viewChanges(
  before: FeatureView,
  after: FeatureView,
  used: readonly string[],
  isEqual: (a: unknown, b: unknown) => boolean,
): string[] {
  const rows = OF_ROWS.filter((part) => !isEqual(before[part] ?? null, after[part] ?? null)).map(
    (part) => `${part} has changed`,
  );
  const features = used.flatMap((name) => {
    for (const part of ['features', 'on_demand'] as const) {
      const old = before[part][name];
      const now = after[part][name];
      if (!old) continue;
      if (!now) return [`${part}.${name} is gone`];
      if (old.type !== now.type) return [`${part}.${name} was a ${old.type} and is a ${now.type}`];
      if ((old.expression ?? name) !== (now.expression ?? name)) return [`${part}.${name} has another expression`];
    }
    return [];
  });
  const request = Object.entries(before.request).flatMap(([name, { type }]) =>
    used.some((feature) => before.on_demand[feature]) && after.request[name]?.type !== type
      ? [`request.${name} is gone or has another type`]
      : [],
  );
  return [...rows, ...features, ...request];
}
