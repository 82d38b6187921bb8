import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../services/config.js';
import { applyMigrations, pendingMigrations } from '../services/database/apply-migrations.js';
import { readFlags, runCommand } from './run-command.js';

const USAGE = `Usage: npm run migrate [-- --wait]

Applies the migrations of this release that the database has not.
  --wait  applies none: waits until another process has, at most ten minutes`;

const POLL_EVERY_MS = 1000;
const WAIT_AT_MOST_MS = 600_000;

/** What starts before the migrations are through would answer 503 until then, or fail its first steps. */
async function waitForMigrations(databaseUrl: string): Promise<void> {
  for (const deadlineMs = Date.now() + WAIT_AT_MOST_MS; ;) {
    const pending = await pendingMigrations(databaseUrl);
    if (pending.length === 0) return;
    if (Date.now() > deadlineMs)
      throw new Error(
        `After ${WAIT_AT_MOST_MS / 1000} s the database still lacks ${pending.join(', ')}. Run \`migrate\`, and look at its log.`,
      );
    await sleep(POLL_EVERY_MS);
  }
}

await runCommand(async (say) => {
  const { wait } = readFlags({ wait: { type: 'boolean' } }, USAGE);
  const { databaseUrl } = loadConfig();
  if (wait) await waitForMigrations(databaseUrl);
  const { applied } = wait ? { applied: [] } : await applyMigrations(databaseUrl);
  say(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  return 0;
});
