import { loadConfig } from '../services/config.js';
import { openDatabase } from '../services/database/database.js';
import { useFileKeys, writingKeyId } from '../services/encryption/file-keys.js';
import { reencryptFiles, reportKeys } from '../services/encryption/reencrypt-files.js';
import { FILES_LOCK } from '../services/erasure/files-lock.js';
import { createFailPoint } from '../services/telemetry/fail-point.js';
import { readFlags, runCommand } from './run-command.js';
import { useSharedFiles } from '../services/storage/shared-files.js';

const USAGE = `Usage: npm run reencrypt -- [--check]

Encrypts the files of models, datasets and uploads with the first of ENCRYPTION_KEYS, those that are not encrypted yet included. It can
be stopped and run again at any time, while the service goes on. Then, or with --check at once, it says how many files are under which key.`;

await runCommand(async (say) => {
  const { check } = readFlags({ check: { type: 'boolean' } }, USAGE);
  const config = loadConfig();
  useFileKeys(config.temporal.encryptionKeys);
  useSharedFiles(config.sharedRoots, config.sources.s3);
  if (!check && writingKeyId() === undefined)
    throw new Error(
      'ENCRYPTION_KEYS is not set: there is no key to encrypt with. docs/guide/encryption.md says how to make one.',
    );
  if (!check)
    await whileNothingIsErased(config.databaseUrl, async () => {
      const failPoint = createFailPoint(config.failPoint, config.stateDir);
      const sealed = await reencryptFiles(config, () => failPoint('reencrypt:after-file'));
      say(`${sealed} files were encrypted with the key "${writingKeyId()}".`);
    });
  const { keys, writing_key_id: writes } = await reportKeys(config);
  for (const { key_id: id, files, bytes } of keys)
    say(`${id === null ? 'not encrypted' : `key "${id}"`}: ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  return keys.every(({ key_id: id }) => id === writes) ? 0 : 1;
});

/** An erasure writes the same files: what it took out must not come back. */
async function whileNothingIsErased(databaseUrl: string, work: () => Promise<void>): Promise<void> {
  const database = openDatabase(databaseUrl, () => undefined);
  const lock = await database.pool.connect();
  try {
    await lock.query("SET statement_timeout = '30min'");
    await lock.query('SELECT pg_advisory_lock($1)', [FILES_LOCK]);
    await work();
  } finally {
    lock.release(true);
    await database.close();
  }
}
