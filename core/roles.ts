/** What a caller may do; each role includes the ones before it. */
export const ROLES = ['viewer', 'predictor', 'engineer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who calls: a name that is written down with what was done, and a role. */
export interface Caller {
  subject: string;
  role: Role;
  /** Of one that may touch some models only: their names. */
  models?: readonly string[];
  /** Of one that has a service token. */
  tokenId?: string;
}

/** While no authentication is configured the service listens on loopback only, and whoever calls is this one. */
export const LOCAL_CALLER: Caller = { subject: 'local', role: 'admin' };

/** How the subjects of service tokens begin. */
export const TOKEN_SUBJECT = 'token:';

/** Names that the service writes down for itself: nobody who signs in may be called so. */
const OWN_SUBJECTS: readonly string[] = ['local', 'system', 'service', 'anonymous'];
export const isOwnSubject = (subject: string) => OWN_SUBJECTS.includes(subject) || subject.startsWith(TOKEN_SUBJECT);

/** Whether a role includes another one. */
export function includesRole(role: Role, other: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(other);
}

/** The highest of the roles in a list of words, of which others are none of ours; undefined without any. */
export function highestRole(words: readonly unknown[]): Role | undefined {
  return ROLES.findLast((role) => words.includes(role));
}

/** Whether a caller may touch what belongs to a model; what belongs to none is for those who may touch all. */
export const mayTouch = ({ models }: Caller, model: string | null | undefined) =>
  models === undefined || (typeof model === 'string' && models.includes(model));
