import type { Database } from '../database/database.js';

/** Rows that are checked by one statement; a few tenths of a second. */
const CHUNK_ROWS = 50_000;
/** Statements at a time: each has a core of PostgreSQL, and leaves most of the pool to others. */
const STATEMENTS = 3;

/** The hash of an entry that somebody has kept elsewhere. */
export interface AuditAnchor {
  seq: number;
  /** Hexadecimal. */
  hash: string;
}

export interface AuditVerdict {
  intact: boolean;
  entries: number;
  /** Keep it elsewhere: with it, even a chain that was written anew from the start can be told. */
  head: AuditAnchor;
  first_broken?: { seq: number; reason: string };
}

interface Broken {
  seq: string;
  /** What its number would be if none were missing. */
  place: string;
  is_first_missing: boolean;
  is_changed: boolean;
}

/** Of the rows behind `$1` up to `$2`, the first that is not as it was written, or does not follow on the one before. */
const FIND_BROKEN = `SELECT seq, place, seq <> place AS is_first_missing, hash <> right_hash AS is_changed FROM (
    SELECT l.seq, l.hash, l.previous, audit_hash(l) AS right_hash, $1::bigint + row_number() OVER (ORDER BY l.seq) AS place,
      lag(l.hash) OVER (ORDER BY l.seq) AS before
    FROM audit_log l WHERE l.seq > $1 AND l.seq <= $2) AS rows
  WHERE seq <> place OR hash <> right_hash
    OR previous <> coalesce(before, (SELECT hash FROM audit_log WHERE seq = $1), decode(repeat('00', 32), 'hex'))
  ORDER BY seq LIMIT 1`;

/**
 * Checks the chain from its first entry to the one that is the last now; entries that are added meanwhile are left out.
 * @param anchor an entry whose hash is known from elsewhere
 */
export async function verifyAudit({ pool }: Database, anchor?: AuditAnchor): Promise<AuditVerdict> {
  const head = await readAuditHead({ pool });
  const verdict = (first_broken?: AuditVerdict['first_broken']): AuditVerdict => ({
    intact: first_broken === undefined,
    entries: head.seq,
    head,
    ...(first_broken ? { first_broken } : {}),
  });
  const broken = await findFirstBroken(pool, head.seq);
  if (broken) return verdict(broken);
  if (head.seq > 0 && (await hashOf(pool, head.seq)) !== head.hash)
    return verdict({ seq: head.seq, reason: 'The head has another hash.' });
  const beyond = await pool.query('SELECT seq FROM audit_log WHERE seq < 1 LIMIT 1');
  if (beyond.rows.length > 0) return verdict({ seq: 0, reason: 'There is an entry before the first.' });
  if (anchor && (await hashOf(pool, anchor.seq)) !== anchor.hash.toLowerCase())
    return verdict({ seq: anchor.seq, reason: 'It has another hash than the one that was kept elsewhere.' });
  return verdict();
}

const MISSING = 'It is missing.';

/** Several chunks at a time, begun in their order, and none behind one that has told of something. */
async function findFirstBroken(pool: Database['pool'], rows: number): Promise<AuditVerdict['first_broken']> {
  let next = 0;
  const found: NonNullable<AuditVerdict['first_broken']>[] = [];
  const check = async () => {
    while (next < rows && found.length === 0) {
      const from = next;
      next = Math.min(rows, from + CHUNK_ROWS);
      const one = await findBrokenIn(pool, from, next);
      if (one) found.push(one);
    }
  };
  await Promise.all(Array.from({ length: STATEMENTS }, check));
  return found.sort((a, b) => a.seq - b.seq)[0];
}

async function findBrokenIn(pool: Database['pool'], from: number, to: number): Promise<AuditVerdict['first_broken']> {
  const broken = (await pool.query<Broken>(FIND_BROKEN, [from, to])).rows[0];
  if (broken) return describe(broken);
  if ((await hashOf(pool, to)) !== undefined) return undefined;
  return { seq: await firstMissing(pool, from, to), reason: MISSING };
}

/** Of a gap it is the missing entry that is named. */
function describe({
  seq,
  place,
  is_first_missing: isMissing,
  is_changed: isChanged,
}: Broken): AuditVerdict['first_broken'] {
  if (isMissing) return { seq: Number(place), reason: MISSING };
  return { seq: Number(seq), reason: isChanged ? 'It was changed.' : 'It does not follow on the entry before it.' };
}

/** The last entry that there is. */
export async function readAuditHead({ pool }: Pick<Database, 'pool'>): Promise<AuditAnchor> {
  const { rows } = await pool.query<{ seq: string; hash: string }>(
    `SELECT seq, encode(hash, 'hex') AS hash FROM audit_head`,
  );
  return { seq: Number(rows[0]?.seq ?? 0), hash: rows[0]?.hash ?? '' };
}

async function hashOf(pool: Database['pool'], seq: number): Promise<string | undefined> {
  const { rows } = await pool.query<{ hash: string }>(
    `SELECT encode(hash, 'hex') AS hash FROM audit_log WHERE seq = $1`,
    [seq],
  );
  return rows[0]?.hash;
}

/** Rows at the end of a chunk are gone, which leaves no gap within it. */
async function firstMissing(pool: Database['pool'], from: number, to: number): Promise<number> {
  const { rows } = await pool.query<{ seq: string }>(
    'SELECT coalesce(max(seq), $1::bigint) + 1 AS seq FROM audit_log WHERE seq > $1 AND seq <= $2',
    [from, to],
  );
  return Number(rows[0]!.seq);
}
