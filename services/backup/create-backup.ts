import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Config } from '../config.js';
import { readSchedules } from '../pipelines/job-schedule.js';
import { releaseVersion } from '../release-version.js';
import { withoutCredentials } from '../telemetry/redact.js';
import { refuseFilled, sealBackup, type BackupManifest, type Digests } from './backup-folder.js';
import { copyReferred } from './copy-files.js';
import { dumpDatabase, listReferred, openSnapshot } from './dump-database.js';

/** How often a backup begins again because something that it was about to copy was deleted or changed. */
const MOST_ATTEMPTS = 3;

interface BackupContext {
  config: Config;
  temporal: Client;
  say: (line: string) => void;
}

/**
 * Copies the database, models, datasets and schedules into a folder, while the service goes on. The database comes first, as of one
 * moment; the files that its rows refer to are written once, so they are still as they were then. What is deleted in between makes
 * the backup begin again.
 * @throws Error where the folder holds anything
 */
export async function createBackup(folder: string, context: BackupContext): Promise<BackupManifest> {
  await refuseFilled(folder);
  try {
    for (let attempt = 1; ; attempt++) {
      const taken = await takeBackup(folder, context);
      if (taken.unlike.length === 0 || attempt === MOST_ATTEMPTS) {
        const manifest = {
          ...taken.manifest,
          problems: [...taken.manifest.problems, ...taken.unlike.map(describeUnlike)],
        };
        await sealBackup(folder, manifest, taken.digests);
        return manifest;
      }
      context.say(`Begins again: ${taken.unlike.join(', ')} changed or went while it was copied.`);
      await empty(folder);
    }
  } catch (error) {
    await empty(folder);
    throw error;
  }
}

const describeUnlike = (what: string) =>
  `${what} is not as its row in the database says: it is damaged, or an erasure is at it.`;

async function takeBackup(folder: string, { config, temporal, say }: BackupContext) {
  const digests: Digests = new Map();
  const createdAt = new Date().toISOString();
  const client = await openSnapshot(config.databaseUrl);
  let database, referred;
  try {
    referred = await listReferred(client);
    database = await dumpDatabase(client, folder, digests);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
  say(`${database.tables.reduce((sum, { rows }) => sum + rows, 0)} rows of ${database.tables.length} tables.`);
  const { files, unlike } = await copyReferred(referred, { config, folder }, digests);
  say(`${files.length} files of ${referred.datasets.length} datasets and ${referred.versions.length} models.`);
  const { schedules, problems } = await askForSchedules(temporal);
  const manifest: BackupManifest = {
    format_version: 1,
    created_at: createdAt,
    release: releaseVersion(),
    ...database,
    files,
    schedules,
    problems,
  };
  return { manifest, digests, unlike };
}

/** A backup without them is better than none. */
async function askForSchedules(temporal: Client): Promise<Pick<BackupManifest, 'schedules' | 'problems'>> {
  try {
    return { schedules: await readSchedules(temporal), problems: [] };
  } catch (error) {
    const reason = withoutCredentials(error instanceof Error ? error.message : String(error));
    return { schedules: null, problems: [`The schedules are not in it: ${reason}`] };
  }
}

async function empty(folder: string): Promise<void> {
  for (const part of ['database', 'models', 'data']) await rm(join(folder, part), { recursive: true, force: true });
}
