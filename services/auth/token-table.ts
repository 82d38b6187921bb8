import { TOKEN_SUBJECT, type Caller, type Role } from '../../core/roles.js';
import { ChannelListener } from '../database/channel-listener.js';
import type { Database } from '../database/database.js';
import type { Logger } from '../telemetry/logger.js';
import type { VerifiedJwt } from './verify-jwt.js';

const CHANNEL = 'mlops_tokens';
/** The table is looked at this often, besides the notifications. */
const POLL_MS = 1000;
/** A token that is not known yet makes nobody look more often than this. */
const LOOK_EVERY_MS = 250;
const NOTE_USE_EVERY_MS = 5000;

const READ_TOKENS = `SELECT id, name, encode(hash, 'base64') AS hash, role, models, expires_at, is_internal FROM service_tokens
  WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`;

interface TokenRow {
  id: string;
  name: string;
  hash: string;
  role: Role;
  models: string[] | null;
  expires_at: Date | null;
  is_internal: boolean;
}

/**
 * All tokens that are in use, in memory by their hashes: a request needs no database, known tokens go on while it is away, and a revoked one is gone
 * from every process within a second or so.
 */
export class TokenTable {
  #tokens = new Map<string, VerifiedJwt>();
  #isLoaded = false;
  #isFresh = false;
  #refreshing: Promise<void> | undefined;
  #lookedAtMs = -Infinity;
  readonly #used = new Set<string>();
  readonly #listener: ChannelListener;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly context: {
      database: Database;
      databaseUrl: string;
      logger: Logger;
      /** Writes down that these were used. */
      noteUse: (ids: readonly string[]) => Promise<void>;
    },
  ) {
    const onNotice = () => void this.#refreshQuietly();
    this.#listener = new ChannelListener({ ...context, channel: CHANNEL, onNotice });
  }

  async start(): Promise<void> {
    await this.#refreshQuietly();
    this.#timers.push(setInterval(() => void this.#refreshQuietly(), POLL_MS));
    this.#timers.push(setInterval(() => void this.#noteUse(), NOTE_USE_EVERY_MS));
    void this.#listener.start();
  }

  /** @param hash in base64 */
  find(hash: string): Caller | undefined {
    const known = this.#tokens.get(hash);
    if (!known || known.endsAtMs <= Date.now()) return undefined;
    this.#used.add(known.caller.tokenId!);
    return known.caller;
  }

  /**
   * As `find`, but looks at the database where the token may be new.
   * @returns `away` where that cannot be told
   */
  async look(hash: string): Promise<Caller | 'away' | undefined> {
    const known = this.find(hash);
    if (known) return known;
    if (Date.now() - this.#lookedAtMs > LOOK_EVERY_MS) {
      this.#lookedAtMs = Date.now();
      await this.#refreshQuietly();
    } else await this.#refreshing?.catch(() => undefined);
    return this.find(hash) ?? (this.#isLoaded && this.#isFresh ? undefined : 'away');
  }

  /** Reads all; calls that come while one runs wait for it and for one more. */
  async refresh(): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    this.#refreshing ??= this.#read().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#listener.stop();
    await this.#noteUse();
  }

  async #read(): Promise<void> {
    const { rows } = await this.context.database.pool.query<TokenRow>(READ_TOKENS);
    this.#tokens = new Map(rows.map((row) => [row.hash.replaceAll('\n', ''), readToken(row)]));
    this.#isLoaded = true;
    this.#isFresh = true;
  }

  async #refreshQuietly(): Promise<void> {
    await this.refresh().catch((error: unknown) => {
      this.#isFresh = false;
      this.context.logger.debug({ err: error }, 'the service tokens cannot be read at present');
    });
  }

  async #noteUse(): Promise<void> {
    if (this.#used.size === 0) return;
    const ids = [...this.#used];
    this.#used.clear();
    await this.context.noteUse(ids).catch((error: unknown) => {
      for (const id of ids) this.#used.add(id);
      this.context.logger.debug({ err: error }, 'the use of service tokens cannot be written at present');
    });
  }
}

const readToken = ({
  id,
  name,
  role,
  models,
  expires_at: expiresAt,
  is_internal: isInternal,
}: TokenRow): VerifiedJwt => ({
  caller: {
    subject: isInternal ? 'service' : TOKEN_SUBJECT + name,
    role,
    tokenId: id,
    ...(models ? { models } : {}),
  },
  endsAtMs: expiresAt?.getTime() ?? Infinity,
});
