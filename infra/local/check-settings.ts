import { isIP } from 'node:net';
import { isLoopback } from '../../services/auth/auth-settings.js';
import { loadConfig } from '../../services/config.js';
import { createModelsConfigReader } from '../../services/training/models-config.js';

/**
 * Reads all settings and the models file as each process will, before anything is started that would have to be stopped again.
 * @param env what the processes will get; what only a running server could tell is filled in
 * @throws Error that lists what is wrong, with its line and path for the models file
 */
export async function checkSettings(env: NodeJS.ProcessEnv): Promise<void> {
  const { modelsConfigPath } = loadConfig({
    ...env,
    DATABASE_URL: env['DATABASE_URL'] || 'postgresql://127.0.0.1/embedded',
  });
  await createModelsConfigReader(modelsConfigPath)();
}

/**
 * `npm start` is for this machine alone. A name is what some shells export of themselves, and says nothing of what is wanted.
 * @throws Error for an address that others would have to reach, which would be ignored
 */
export function refuseOtherHosts(host: string | undefined): void {
  if (host === undefined || isIP(host) === 0 || isLoopback(host)) return;
  throw new Error(
    `HOST=${host}: npm start serves this machine alone, on 127.0.0.1. Unset HOST; docs/guide/deploy.md says how to serve others.`,
  );
}
