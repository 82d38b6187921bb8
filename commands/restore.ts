import { resolve } from 'node:path';
import { readBackup } from '../services/backup/backup-folder.js';
import { restoreBackup } from '../services/backup/restore-backup.js';
import { loadConfig } from '../services/config.js';
import { putSchedules } from '../services/pipelines/job-schedule.js';
import { createTemporalClient } from '../services/pipelines/temporal-client.js';
import { readFlags, runCommand } from './run-command.js';
import { useSharedFiles } from '../services/storage/shared-files.js';

const USAGE = `Usage: npm run restore -- --from FOLDER [--check | --schedules]

Brings a backup back into an empty database and empty folders.
  --check      only holds every file of the backup to its digest
  --schedules  puts the schedules of the backup to Temporal, once the service runs again`;

async function restoreSchedules(folder: string, say: (line: string) => void): Promise<void> {
  const { manifest } = await readBackup(folder);
  const schedules = manifest.schedules ?? [];
  const temporal = createTemporalClient(loadConfig().temporal);
  try {
    await putSchedules(temporal, schedules);
  } finally {
    await temporal.connection.close();
  }
  say(`${schedules.length} schedules are back.`);
}

await runCommand(async (say) => {
  const flags = readFlags(
    { from: { type: 'string' }, check: { type: 'boolean' }, schedules: { type: 'boolean' } },
    USAGE,
  );
  if (typeof flags['from'] !== 'string' || flags['from'] === '' || (flags['check'] && flags['schedules']))
    throw new Error(USAGE);
  const folder = resolve(flags['from']);
  if (flags['check']) {
    const { manifest, digests } = await readBackup(folder);
    say(`The backup of ${manifest.created_at} is whole: ${digests.size} files have their digests.`);
  } else if (flags['schedules']) await restoreSchedules(folder, say);
  else {
    const config = loadConfig();
    useSharedFiles(config.sharedRoots, config.sources.s3);
    const { schedules } = await restoreBackup(folder, { config, say });
    if (schedules?.length)
      say(
        `Start the service, and then put its ${schedules.length} schedules back: npm run restore -- --from ${folder} --schedules`,
      );
  }
  return 0;
});
