import { loadConfig } from '../services/config.js';
import { applyMigrations } from '../services/database/apply-migrations.js';
import { runCommand } from './run-command.js';

await runCommand(async (say) => {
  const { applied } = await applyMigrations(loadConfig().databaseUrl);
  say(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  return 0;
});
