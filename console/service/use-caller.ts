import { useReadIfThere } from './use-read.js';

/** What a caller may do, each including the one before. */
export const ROLES = ['viewer', 'predictor', 'engineer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

interface Whoami {
  subject?: string;
  role?: string;
  roles?: string[];
}

/** Who the caller is; a service without sign-in takes everyone for an administrator. */
export function useCaller(): { subject: string; role: Role; isKnown: boolean } {
  const { data } = useReadIfThere<Whoami>('/whoami');
  const named = [data?.role, ...(data?.roles ?? [])];
  const role = ROLES.findLast((one) => named.includes(one)) ?? (data ? 'viewer' : 'admin');
  return { subject: data?.subject ?? 'local', role, isKnown: Boolean(data) };
}

/** Whether the caller may do what needs the role; the service decides, and this only hides what it would refuse. */
export function useMay(needed: Role): boolean {
  return ROLES.indexOf(useCaller().role) >= ROLES.indexOf(needed);
}
