import { randomBytes } from 'node:crypto';
import type { Role } from '../../core/roles.js';
import type { Database } from '../database/database.js';
import { makeToken } from './token-store.js';

const LIFE_MS = 10 * 60_000;
const DAY_MS = 86_400_000;

/**
 * How workers sign in at the API: by short-lived tokens that they write to the database themselves. Whoever can do that could change what the
 * API reads from there anyway, and no further secret has to be handed out.
 */
export class OwnCredentials {
  readonly #made = new Map<Role, { token: string; madeAtMs: number }>();

  /** @param isNeeded whether the API takes only callers with a token */
  constructor(
    private readonly database: Database,
    private readonly isNeeded: boolean,
  ) {}

  /** The headers of a call that needs a role; none where no token is needed. */
  async headers(role: Role): Promise<Record<string, string>> {
    if (!this.isNeeded) return {};
    const known = this.#made.get(role);
    const nowMs = Date.now();
    if (known && nowMs - known.madeAtMs < LIFE_MS / 2) return { authorization: `Bearer ${known.token}` };
    const token = await this.#make(role, nowMs);
    this.#made.set(role, { token, madeAtMs: nowMs });
    return { authorization: `Bearer ${token}` };
  }

  async #make(role: Role, nowMs: number): Promise<string> {
    const { token, prefix, hash } = makeToken();
    const { prisma } = this.database;
    await prisma.serviceToken.deleteMany({ where: { isInternal: true, expiresAt: { lt: new Date(nowMs - DAY_MS) } } });
    await prisma.serviceToken.create({
      data: {
        id: `tok-${randomBytes(10).toString('hex')}`,
        name: 'service',
        role,
        prefix,
        hash,
        isInternal: true,
        createdBy: 'service',
        expiresAt: new Date(nowMs + LIFE_MS),
      },
    });
    return token;
  }
}
