/** What a caller may do; each role includes the ones before it. */
export const ROLES = ['viewer', 'predictor', 'engineer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who calls: a name that is written down with what was done, and a role. */
export interface Caller {
  subject: string;
  role: Role;
}

/** While no authentication is configured the service listens on loopback only, and whoever calls is this one. */
export const LOCAL_CALLER: Caller = { subject: 'local', role: 'admin' };

/** Whether a role includes another one. */
export function includesRole(role: Role, other: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(other);
}
