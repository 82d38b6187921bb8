import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../infra/local/state-folder.js';
import { verifyAudit } from '../services/audit/verify-audit.js';
import { applyMigrations } from '../services/database/apply-migrations.js';
import { openDatabase } from '../services/database/database.js';

/** A transaction of many rows reads the head of the chain through all of its own versions of it. */
const BATCH_ROWS = 200;

/** `npm run bench:audit [-- rows]`: how long the chain of the audit log takes to write and to check. */
async function main(rows: number): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'mlops-bench-audit-'));
  const server = await startEmbeddedPostgres({ stateDir });
  const database = openDatabase(server.url, () => undefined);
  try {
    await applyMigrations(server.url);
    const startMs = performance.now();
    for (let from = 0; from < rows; from += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, rows - from);
      await database.pool.query(
        `INSERT INTO audit_inbox (kind, action, subject, role, address, model, target, status, correlation_id, detail)
         SELECT 'call', 'POST /models/{model}/deploy', 'engineer ' || i % 50, 'operator', '10.0.0.1', 'model_' || i % 20, 'deploy-' || i, 202,
           'call-' || i, jsonb_build_object('type', 'deploy') FROM generate_series(1, $1::int) AS i`,
        [count],
      );
    }
    tell('written', rows, startMs);
    const verifyMs = performance.now();
    const { intact, entries } = await verifyAudit(database);
    tell(`checked, ${intact ? 'intact' : 'broken'}`, entries, verifyMs);
  } finally {
    await database.close();
    await server.stop();
    deleteStateFolder(stateDir);
  }
}

function tell(what: string, rows: number, sinceMs: number): void {
  const seconds = (performance.now() - sinceMs) / 1000;
  process.stdout.write(`${rows} entries ${what}: ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} a second\n`);
}

await main(Number(process.argv[2] ?? 1_000_000));
