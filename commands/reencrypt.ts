import { loadConfig } from '../services/config.js';
import { openDatabase } from '../services/database/database.js';
import { useFileKeys } from '../services/encryption/file-keys.js';
import { reencryptFiles, reportKeys, requireWritingKey } from '../services/encryption/reencrypt-files.js';
import { createFailPoint } from '../services/telemetry/fail-point.js';
import { readFlags, runCommand } from './run-command.js';
import { useSharedFiles } from '../services/storage/shared-files.js';

const USAGE = `Usage: npm run reencrypt -- [--check]

Encrypts the files of models, datasets and uploads with the first of ENCRYPTION_KEYS, those that are not encrypted yet included, as the job of
POST /encryption/reencrypt does. It can be stopped and run again at any time, while the service goes on or while it is down. Then, or with --check at
once, it says how many files are under which key.`;

await runCommand(async (say) => {
  const { check } = readFlags({ check: { type: 'boolean' } }, USAGE);
  const config = loadConfig();
  useFileKeys(config.temporal.encryptionKeys);
  useSharedFiles(config.sharedRoots, config.sources.s3);
  if (!check) {
    const keyId = requireWritingKey();
    const database = openDatabase(config.databaseUrl, () => undefined);
    const failPoint = createFailPoint(config.failPoint, config.stateDir);
    const { signal } = new AbortController();
    try {
      const { sealed } = await reencryptFiles(keyId, { config, database, failPoint, signal });
      say(`${sealed} files were encrypted with the key "${keyId}".`);
    } finally {
      await database.close();
    }
  }
  const { keys, writing_key_id: writes } = await reportKeys(config);
  for (const { key_id: id, files, bytes } of keys)
    say(`${id === null ? 'not encrypted' : `key "${id}"`}: ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  return keys.every(({ key_id: id }) => id === writes) ? 0 : 1;
});
