import type { components } from './client.js';
import { useRead } from './use-read.js';

type Caller = components['schemas']['Whoami'];
export type Role = Caller['role'];

/** Who the service takes the caller for; undefined until it is known, and where the caller's token is not taken. */
export const useCaller = (): Caller | undefined => useRead('/whoami').data;

/** Whether the caller may do what needs the role; the service decides, and this only hides what it would refuse. */
export const useMay = (needed: Role): boolean => useCaller()?.roles.includes(needed) ?? false;
