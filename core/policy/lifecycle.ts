/** What a version is to its model. It has one of these at any time. */
export const VERSION_STATES = [
  'registered',
  'candidate',
  'shadow',
  'canary',
  'production',
  'retired',
  'archived',
] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/** Versions that stand in the route of their model: whatever changes the route changes these, and nothing else does. */
export const TRAFFIC_STATES: readonly VersionState[] = ['shadow', 'canary', 'production'];

/** What happens to versions, as webhooks name it. */
export const VERSION_EVENTS = [...VERSION_STATES, 'deleted'].map((state) => `version.${state}`);

interface Transition {
  from: VersionState;
  to: VersionState;
  /** What brings it about: a change of the route, or a request of a person. */
  by: 'traffic' | 'request';
  /** Only for versions that have had all the traffic at some time, or only for those that never had. */
  only?: 'served' | 'unserved';
}

const UNTRIED = ['registered', 'candidate', 'retired'] as const;
const ON_TRIAL = ['shadow', 'canary'] as const;

/** Every change of state that there is. */
export const TRANSITIONS: readonly Transition[] = [
  ...UNTRIED.flatMap((from): Transition[] => TRAFFIC_STATES.map((to) => ({ from, to, by: 'traffic' }))),
  { from: 'shadow', to: 'canary', by: 'traffic' },
  { from: 'canary', to: 'shadow', by: 'traffic' },
  ...ON_TRIAL.flatMap((from): Transition[] => [
    { from, to: 'production', by: 'traffic' },
    { from, to: 'candidate', by: 'traffic', only: 'unserved' },
    { from, to: 'retired', by: 'traffic', only: 'served' },
  ]),
  { from: 'production', to: 'retired', by: 'traffic' },
  { from: 'registered', to: 'candidate', by: 'request' },
  { from: 'retired', to: 'candidate', by: 'request' },
  ...UNTRIED.map((from): Transition => ({ from, to: 'archived', by: 'request' })),
  { from: 'archived', to: 'candidate', by: 'request' },
  { from: 'archived', to: 'registered', by: 'request', only: 'unserved' },
  { from: 'archived', to: 'retired', by: 'request', only: 'served' },
];

/** The states that may follow on one, in the order of `VERSION_STATES`. */
export function statesAfter(
  from: VersionState,
  { by, hasServed }: { by: Transition['by']; hasServed: boolean },
): VersionState[] {
  const fits = ({ only }: Transition) => only === undefined || (only === 'served') === hasServed;
  return VERSION_STATES.filter((state) =>
    TRANSITIONS.some((one) => one.from === from && one.to === state && one.by === by && fits(one)),
  );
}
