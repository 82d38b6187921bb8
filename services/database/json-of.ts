import type { Prisma } from './generated/client.js';

/** A value as a column of JSON keeps it: what is undefined is left out. */
export const jsonOf = (value: unknown) => JSON.parse(JSON.stringify(value)) as Prisma.InputJsonObject;
