import { createHash, randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { TOKEN_SUBJECT } from '../../core/roles.js';
import type { tokenRequestSchema } from '../../core/schemas/service-token.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage, type PageRequest } from '../database/read-page.js';

/** What every service token begins with, so that scanners for secrets find one that was left lying about. */
export const TOKEN_PREFIX = 'mlps_';
const SHOWN_CHARACTERS = TOKEN_PREFIX.length + 6;
/** All processes hold them in memory. */
const MOST_TOKENS = 1000;
const DAY_MS = 86_400_000;

/** 256 random bits: nothing slower than one SHA-256 is needed to keep them from being guessed. */
export function makeToken(): { token: string; prefix: string; hash: Uint8Array<ArrayBuffer> } {
  const token = TOKEN_PREFIX + randomBytes(32).toString('base64url');
  return { token, prefix: token.slice(0, SHOWN_CHARACTERS), hash: new Uint8Array(hashOf(token)) };
}

export const hashOf = (token: string) => createHash('sha256').update(token).digest();

const present = (row: Prisma.ServiceTokenGetPayload<object>) => ({
  token_id: row.id,
  name: row.name,
  prefix: row.prefix,
  role: row.role,
  models: row.models as string[] | null,
  created_by: row.createdBy,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt?.toISOString() ?? null,
  last_used_at: row.lastUsedAt?.toISOString() ?? null,
  revoked_at: row.revokedAt?.toISOString() ?? null,
  revoked_by: row.revokedBy,
});

/** The tokens of programs. No answer has a token but the first. */
export function createTokenStore({ prisma }: Database) {
  async function find(id: string) {
    const row = await prisma.serviceToken.findFirst({ where: { id, isInternal: false } });
    if (row) return row;
    throw new ServiceError('token_not_found', `There is no token "${id.slice(0, 100)}". GET /tokens lists them.`);
  }

  return {
    /**
     * @returns the token with its secret, which is not shown again
     * @throws ServiceError `token_conflict` where one that is in use has the name, or there are too many
     */
    async create(wanted: z.output<typeof tokenRequestSchema>, createdBy: string) {
      const { token, prefix, hash } = makeToken();
      const row = await prisma.$transaction(async (transaction) => {
        await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('service_tokens'))`;
        const inUse = { revokedAt: null, isInternal: false };
        if (await transaction.serviceToken.findFirst({ where: { ...inUse, name: wanted.name } }))
          throw new ServiceError(
            'token_conflict',
            `A token in use is called "${wanted.name}". Revoke it or choose another name.`,
          );
        if ((await transaction.serviceToken.count({ where: inUse })) >= MOST_TOKENS)
          throw new ServiceError('token_conflict', `There are ${MOST_TOKENS} tokens already. Revoke one first.`);
        const expiresAt =
          wanted.expires_in_days === undefined ? null : new Date(Date.now() + wanted.expires_in_days * DAY_MS);
        const id = `tok-${randomBytes(10).toString('hex')}`;
        const { name, role, models } = wanted;
        return transaction.serviceToken.create({
          data: { id, name, role, models, prefix, hash, createdBy, expiresAt },
        });
      });
      return { ...present(row), token };
    },

    async list(page: PageRequest) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.serviceToken.findMany({
            where: { isInternal: false },
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.serviceToken.findUnique({ where: { id } }),
      });
      return { items: rows.map(present), next_cursor };
    },

    /** The token in use of a name; at most one has it. */
    async findInUse(name: string) {
      const row = await prisma.serviceToken.findFirst({ where: { name, revokedAt: null, isInternal: false } });
      return row ? present(row) : undefined;
    },

    /** Whether this is the secret of a token that has neither ended nor been revoked. */
    async isTokenOf(id: string, token: string): Promise<boolean> {
      const row = await prisma.serviceToken.findFirst({ where: { id, revokedAt: null } });
      const hasEnded = row?.expiresAt !== null && row?.expiresAt !== undefined && row.expiresAt <= new Date();
      return row !== null && !hasEnded && hashOf(token).equals(row.hash);
    },

    get: async (id: string) => present(await find(id)),

    /** Ends a token; one that is revoked already stays as it is. */
    async revoke(id: string, revokedBy: string) {
      await find(id);
      await prisma.serviceToken.updateMany({
        where: { id, revokedAt: null },
        data: { revokedAt: new Date(), revokedBy },
      });
      return present(await find(id));
    },
  };
}

export type TokenStore = ReturnType<typeof createTokenStore>;

/** Writes down that tokens were used just now, and in the audit log the first use in an hour. */
export async function noteTokenUse({ pool }: Database, ids: readonly string[]): Promise<void> {
  await pool.query(
    `WITH before AS (SELECT id, name, role, is_internal, last_used_at FROM service_tokens WHERE id = ANY($1) ORDER BY id FOR UPDATE),
       used AS (UPDATE service_tokens t SET last_used_at = now() FROM before WHERE t.id = before.id)
     INSERT INTO audit_inbox (kind, action, subject, role, target)
     SELECT 'key_use', 'token.used', $2 || name, role, id FROM before
     WHERE NOT is_internal AND (last_used_at IS NULL OR last_used_at < date_trunc('hour', now()))`,
    [ids, TOKEN_SUBJECT],
  );
}
