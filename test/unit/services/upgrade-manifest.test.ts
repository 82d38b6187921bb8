import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModelBundle, sha256, type BundleManifest } from '../../../services/artifacts/model-bundle.js';
import { upgradeManifest } from '../../../services/artifacts/upgrade-manifest.js';

const FOREST = Buffer.from('a forest');
const HEAD = { name: 'churn', task: 'binary', classes: [false, true], file: 'churn.forest', sha256: sha256(FOREST) };
/** What release 0.1 wrote. */
const FIRST = {
  format_version: 1,
  model: 'customers',
  kind: 'classification',
  algorithm: 'random_forest',
  code_version: '0.1.0',
  dataset_digest: 'd',
  hyperparameters: { n_estimators: 10 },
  signature: [{ name: 'usage', type: 'number' }],
  encoder: { columns: ['usage'] },
  heads: [HEAD],
  golden: [{ features: { usage: 1 }, outputs: { churn: [0.25, 0.75] } }],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'manifest-'));
  await writeFile(join(folder, HEAD.file), FOREST);
});
afterAll(() => rm(folder, { recursive: true }));

async function load(manifest: object) {
  const text = JSON.stringify(manifest);
  await writeFile(join(folder, 'model.json'), text);
  return loadModelBundle(folder, sha256(text));
}

describe('a manifest of an earlier release', () => {
  it('is read as one of today: files apart from heads, the forest’s own parts in the body', async () => {
    const { manifest, files } = await load(FIRST);
    expect(manifest).toMatchObject({
      format_version: 2,
      model: 'customers',
      algorithm: 'random_forest',
      heads: [{ name: 'churn', task: 'binary', classes: [false, true] }],
      files: [{ file: 'churn.forest', sha256: HEAD.sha256 }],
      body: { encoder: FIRST.encoder, heads: [{ ...HEAD, algorithm: 'random_forest' }] },
      golden: [{ input: { features: { usage: 1 } }, outputs: { churn: [0.25, 0.75] } }],
    });
    expect(manifest.heads[0]).not.toHaveProperty('file');
    expect(Buffer.from(files.get('churn.forest')!)).toEqual(FOREST);
  });

  it('is held to the digests of its files all the same', async () => {
    const heads = [{ ...HEAD, sha256: sha256('another') }];
    await expect(load({ ...FIRST, heads })).rejects.toMatchObject({
      code: 'artifact_corrupt',
      message: expect.stringContaining('churn.forest has the digest') as string,
    });
  });
});

describe('a manifest of today', () => {
  it('is left as it is', () => {
    const manifest = { ...upgradeManifest(FIRST as unknown as BundleManifest), format_version: 2 as const };
    expect(upgradeManifest(manifest)).toBe(manifest);
  });
});

describe('a manifest of a later release', () => {
  it.each([3, 0, '2', null])(
    'with the format %j is refused, and the message says which formats are read',
    async (format) => {
      await expect(load({ ...FIRST, format_version: format })).rejects.toMatchObject({
        code: 'artifact_corrupt',
        message: expect.stringMatching(/model\.json has the format .*; this release reads 1 and 2\./) as string,
      });
    },
  );
});
