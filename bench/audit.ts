import { mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../infra/local/embedded-postgres.js';
import { endOnSignal } from '../infra/local/end-on-signal.js';
import { deleteStateFolder } from '../infra/local/state-folder.js';
import { verifyAudit } from '../services/audit/verify-audit.js';
import { applyMigrations } from '../services/database/apply-migrations.js';
import { openDatabase, type Database } from '../services/database/database.js';
import { writeFigures } from './write-figures.js';

/** A transaction of many rows reads the head of the chain through all of its own versions of it. */
const BATCH_ROWS = 200;
/** Rows that are written as the service writes them; the others are only there to be checked. */
const MOST_WRITTEN = 20_000;
const DOCUMENT = 'docs/guide/security.md';

/** What an entry of the bench says, by its number `i`. */
const ENTRY = `'call', 'POST /models/{model}/deploy', 'engineer ' || i % 50, 'operator', '10.0.0.1', 'model_' || i % 20, 'deploy-' || i, 202, 'call-' || i,
  jsonb_build_object('type', 'deploy')`;

/** Goes on with the chain as `seal_audit` does, without its locks and triggers. */
const LENGTHEN = `DO $$
DECLARE
  sealed audit_log;
BEGIN
  SELECT * INTO STRICT sealed FROM audit_log ORDER BY seq DESC LIMIT 1;
  FOR i IN 1..ROWS LOOP
    sealed.seq := sealed.seq + 1;
    sealed.at := clock_timestamp();
    sealed.target := 'deploy-' || i;
    sealed.previous := sealed.hash;
    sealed.hash := audit_hash(sealed);
    INSERT INTO audit_log SELECT sealed.*;
  END LOOP;
  UPDATE audit_head SET seq = sealed.seq, hash = sealed.hash;
END $$`;

/** Puts the entries $1 and $1 + 1 into each other's place; done twice, nothing has happened. */
const EXCHANGE = [
  'UPDATE audit_log SET seq = -seq WHERE seq IN ($1::bigint, $1::bigint + 1)',
  'UPDATE audit_log SET seq = seq + 2 * $1::bigint + 1 WHERE seq < 0',
];
/** What somebody who owns the database does to the entry $1, and what makes up for it. */
const TAMPERINGS: readonly { what: string; does: string[]; undoes: string[] }[] = [
  {
    what: 'A changed entry',
    does: ['UPDATE audit_log SET status = status + 1 WHERE seq = $1'],
    undoes: ['UPDATE audit_log SET status = status - 1 WHERE seq = $1'],
  },
  {
    what: 'A removed one',
    does: ['INSERT INTO kept SELECT * FROM audit_log WHERE seq = $1', 'DELETE FROM audit_log WHERE seq = $1'],
    undoes: ['INSERT INTO audit_log SELECT * FROM kept WHERE seq = $1'],
  },
  {
    what: 'Two in exchanged places',
    does: EXCHANGE,
    undoes: EXCHANGE,
  },
];

/**
 * `npm run bench:audit [-- rows]`: how long the chain of the audit log takes to write and to check, whole and with an entry late in it that is not as it
 * was written; a million rows write the figures into the guide.
 */
async function main(rows: number): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'mlops-bench-audit-'));
  const server = await startEmbeddedPostgres({ stateDir });
  endOnSignal(() => server.stop().then(() => deleteStateFolder(stateDir)));
  const database = openDatabase(server.url, () => undefined);
  try {
    await applyMigrations(server.url);
    const written = Math.min(rows, MOST_WRITTEN);
    const startMs = performance.now();
    for (let from = 0; from < written; from += BATCH_ROWS)
      await database.pool.query(
        `INSERT INTO audit_inbox (kind, action, subject, role, address, model, target, status, correlation_id, detail)
         SELECT ${ENTRY} FROM generate_series(1, $1::int) AS i`,
        [Math.min(BATCH_ROWS, written - from)],
      );
    const perSecond = tell('written', written, startMs).rate;
    if (rows > written) await lengthen(database, rows - written);
    const verifyMs = performance.now();
    const { intact, entries } = await verifyAudit(database);
    const checked = tell(`checked, ${intact ? 'intact' : 'broken'}`, entries, verifyMs);
    if (!intact || entries !== rows) throw new Error(`The chain of ${rows} entries is not intact.`);
    const found = await tamper(database, Math.floor(rows * 0.9));
    if (rows < 1_000_000) return;
    writeFigures(DOCUMENT, 'audit', [
      ['Entries', 'Intact', ...found.map(({ what }) => what), 'Cores', 'Written'],
      [
        rows,
        ...[checked, ...found].map(({ seconds }) => `${seconds.toFixed(1)} s`),
        availableParallelism(),
        `${perSecond} a second`,
      ],
    ]);
  } finally {
    await database.close();
    await server.stop();
    deleteStateFolder(stateDir);
  }
}

async function lengthen({ pool }: Database, rows: number): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('SET session_replication_role = replica; SET statement_timeout = 0');
    await client.query(LENGTHEN.replace('ROWS', String(rows)));
    await client.query('ANALYZE audit_log');
  } finally {
    client.release(true);
  }
}

/** @returns how long each takes to be found @throws Error for one that is not found, or at another place */
async function tamper(database: Database, seq: number): Promise<{ what: string; seconds: number }[]> {
  const vandal = await database.pool.connect();
  const found: { what: string; seconds: number }[] = [];
  try {
    await vandal.query('SET session_replication_role = replica; CREATE TEMP TABLE kept (LIKE audit_log)');
    for (const { what, does, undoes } of TAMPERINGS) {
      for (const sql of does) await vandal.query(sql, [seq]);
      const startMs = performance.now();
      const { entries, first_broken: broken } = await verifyAudit(database);
      if (broken?.seq !== seq) throw new Error(`${what}: ${seq} was expected, and ${broken?.seq} was found.`);
      found.push({ what, seconds: tell(`checked, ${what.toLowerCase()} found at ${seq}`, entries, startMs).seconds });
      for (const sql of undoes) await vandal.query(sql, [seq]);
    }
    if (!(await verifyAudit(database)).intact) throw new Error('The chain is not intact after all was put back.');
    return found;
  } finally {
    vandal.release(true);
  }
}

function tell(what: string, rows: number, sinceMs: number): { seconds: number; rate: number } {
  const seconds = (performance.now() - sinceMs) / 1000;
  const rate = Math.round(rows / seconds);
  process.stdout.write(`${rows} entries ${what}: ${seconds.toFixed(1)} s, ${rate} a second\n`);
  return { seconds, rate };
}

await main(Number(process.argv[2] ?? 1_000_000));
