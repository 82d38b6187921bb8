import type { components } from './client.js';
import { useRead } from './use-read.js';

/** What a caller may do, each including the one before. */
export const ROLES = ['viewer', 'predictor', 'engineer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who the caller is; undefined until the service has said so, and for those who have to sign in first. */
export function useCaller(): components['schemas']['Whoami'] | undefined {
  return useRead('/whoami').data;
}

/** Whether the caller may do what needs the role; the service decides, and this only hides what it would refuse. */
export function useMay(needed: Role): boolean {
  return ROLES.indexOf(useCaller()?.role ?? 'viewer') >= ROLES.indexOf(needed);
}
