import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSettings, refuseOtherHosts } from '../../../infra/local/check-settings.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-settings-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what npm start looks at before it starts anything', () => {
  it('takes the defaults', async () => {
    await expect(checkSettings({ STATE_DIR: folder })).resolves.toBeUndefined();
  });

  it('names each setting that is wrong', async () => {
    const settings = { STATE_DIR: folder, REDIS_URL: 'http://127.0.0.1', MAX_TRAINING_TIME: 'long' };
    await expect(checkSettings(settings)).rejects.toThrow(
      /not valid:\n {2}- MAX_TRAINING_TIME="long": [^]*- REDIS_URL: must begin with redis:/,
    );
  });

  it('names the line of the models file that is wrong', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'user_behavior:\n  algorithm: random_forest\n  hyperparameters:\n    n_estimators: many\n');
    await expect(checkSettings({ STATE_DIR: folder, MODELS_CONFIG: file })).rejects.toThrow(
      /config\.yaml:4: user_behavior\.hyperparameters\.n_estimators: /,
    );
  });

  it('refuses an address that others would have to reach, and not what a shell exports', () => {
    for (const host of [undefined, '', '127.0.0.1', '::1', 'localhost', 'my-laptop'])
      expect(() => refuseOtherHosts(host)).not.toThrow();
    for (const host of ['0.0.0.0', '::', '192.168.1.20'])
      expect(() => refuseOtherHosts(host)).toThrow(`HOST=${host}: npm start serves this machine alone`);
  });
});
