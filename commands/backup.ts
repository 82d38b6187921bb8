import { resolve } from 'node:path';
import { createBackup } from '../services/backup/create-backup.js';
import { useFileKeys } from '../services/encryption/file-keys.js';
import { loadConfig } from '../services/config.js';
import { createTemporalClient } from '../services/pipelines/temporal-client.js';
import { readFlags, runCommand } from './run-command.js';
import { useSharedFiles } from '../services/storage/shared-files.js';

const USAGE = `Usage: npm run backup -- --to FOLDER

Copies the database, the models, the datasets and the schedules into an empty or new folder, as of one moment, while the service
goes on. The digests of all files are in FOLDER/SHA256SUMS.`;

await runCommand(async (say) => {
  const { to } = readFlags({ to: { type: 'string' } }, USAGE);
  if (typeof to !== 'string' || to === '') throw new Error(USAGE);
  const config = loadConfig();
  useFileKeys(config.temporal.encryptionKeys);
  useSharedFiles(config.sharedRoots, config.sources.s3);
  const temporal = createTemporalClient(config.temporal);
  try {
    const folder = resolve(to);
    const { problems, created_at } = await createBackup(folder, { config, temporal, say });
    say(`${folder} is the backup of ${created_at}.`);
    for (const problem of problems) say(`! ${problem}`);
    return problems.length === 0 ? 0 : 1;
  } finally {
    await temporal.connection.close();
  }
});
