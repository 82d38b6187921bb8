import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModelBundle, sha256 } from '../../../services/artifacts/model-bundle.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function store(content: Buffer): string {
  const manifest = JSON.stringify({
    format_version: 2,
    model: 'customers',
    files: [{ file: 'label.forest', sha256: sha256(content) }],
  });
  writeFileSync(join(folder, 'label.forest'), content);
  writeFileSync(join(folder, 'model.json'), manifest);
  return sha256(manifest);
}

describe('a stored model', () => {
  it('is loaded with the bytes that its manifest names', async () => {
    const { bytes, files } = await loadModelBundle(folder, store(Buffer.from('trees')));
    expect(Buffer.from(files.get('label.forest')!).toString()).toBe('trees');
    expect(bytes).toBeGreaterThan(5);
  });

  it('that memory does not hold is refused before it is read', async () => {
    const digest = store(Buffer.from('trees'));
    // As long as a file can be, without taking any space: reading it would never end.
    truncateSync(join(folder, 'label.forest'), 2 ** 40);
    await expect(loadModelBundle(folder, digest)).rejects.toMatchObject({
      code: 'model_too_large',
      message: expect.stringMatching(
        /^customers takes 1048576 MiB on disk .* MiB are free\. Train a smaller one/,
      ) as string,
    });
  });

  it('that lacks a file, or has a byte changed, is refused with its name', async () => {
    const digest = store(Buffer.from('trees'));
    writeFileSync(join(folder, 'label.forest'), 'treez');
    await expect(loadModelBundle(folder, digest)).rejects.toMatchObject({ code: 'artifact_corrupt' });
    rmSync(join(folder, 'label.forest'));
    await expect(loadModelBundle(folder, digest)).rejects.toThrow(/label\.forest cannot be read \(ENOENT\)/);
  });
});
