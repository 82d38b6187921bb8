import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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

  it.each(['../secret', '/etc/passwd', '..', '', 'a/b', 'a\\b', 'a\0', 7, null])(
    'that names the file %j reads nothing outside of its folder',
    async (file) => {
      const manifest = JSON.stringify({
        format_version: 2,
        model: 'customers',
        files: [{ file, sha256: sha256('x') }],
      });
      writeFileSync(join(folder, 'model.json'), manifest);
      await expect(loadModelBundle(folder, sha256(manifest))).rejects.toMatchObject({
        code: 'artifact_corrupt',
        message: expect.stringContaining('which is none beside it') as string,
      });
    },
  );

  it('whose manifest has names of JavaScript changes no object but its own, and runs nothing', async () => {
    const evil =
      '{"format_version":2,"model":"customers","files":[],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},';
    const code = `"body":{"toJSON":"() => process.exit(1)","main":"require('node:fs').writeFileSync('${join(folder, 'ran')}','')"}}`;
    writeFileSync(join(folder, 'model.json'), evil + code);
    const { manifest } = await loadModelBundle(folder, sha256(evil + code));
    expect(manifest.model).toBe('customers');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });

  it('that lacks a file, or has a byte changed, is refused with its name', async () => {
    const digest = store(Buffer.from('trees'));
    writeFileSync(join(folder, 'label.forest'), 'treez');
    await expect(loadModelBundle(folder, digest)).rejects.toMatchObject({ code: 'artifact_corrupt' });
    rmSync(join(folder, 'label.forest'));
    await expect(loadModelBundle(folder, digest)).rejects.toThrow(/label\.forest cannot be read \(ENOENT\)/);
  });
});
