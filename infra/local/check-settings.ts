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
