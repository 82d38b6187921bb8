import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import {
  readAtRest,
  sealFinished,
  sealInPlace,
  sha256AtRest,
  useFileKeys,
} from '../../../services/encryption/file-keys.js';
import { KeyRing } from '../../../services/encryption/key-ring.js';
import { reencryptFiles, requireWritingKey } from '../../../services/encryption/reencrypt-files.js';
import {
  isSealed,
  keyIdOfFile,
  openBytes,
  openStream,
  sealBytes,
  SealError,
  sealStream,
} from '../../../services/encryption/sealed-file.js';
import { searchFiles } from '../../../services/erasure/subject-in-files.js';
import { emptyQuarantine } from '../../../services/retention/apply-retention.js';
import { EMPTY_QUARANTINE_BYTES } from '../../../services/retention/plan-retention.js';
import { sha256 } from '../../../services/artifacts/model-bundle.js';
import { Spool } from '../../../services/spool/spool.js';
import { createLogger } from '../../../services/telemetry/logger.js';

const PIECE = 65_536;
const [first, second] = ['k1', 'k2'].map((id) => ({ id, key: randomBytes(32) })) as [
  { id: string; key: Buffer },
  { id: string; key: Buffer },
];
const keys = new KeyRing([first]);
const folder = mkdtempSync(join(tmpdir(), 'mlops-sealed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => useFileKeys(undefined));

const throughStream = (bytes: Buffer, step: number, ring: KeyRing | undefined = keys) =>
  buffer(
    Readable.from(
      (function* () {
        for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
      })(),
    ).compose(openStream(ring)),
  );

describe('what is sealed', () => {
  it('opens again at every length, in one go and as a stream, in pieces of any size', async () => {
    for (const length of [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5]) {
      const plain = randomBytes(length);
      const sealed = sealBytes(keys, plain);
      expect(openBytes(keys, sealed).equals(plain), `${length} bytes`).toBe(true);
      for (const step of [7919, PIECE, 10 * PIECE])
        expect((await throughStream(sealed, step)).equals(plain), `${length} bytes by ${step}`).toBe(true);
      const streamed = await buffer(Readable.from([plain]).compose(sealStream(keys)));
      expect(openBytes(keys, streamed).equals(plain), `${length} bytes, sealed as a stream`).toBe(true);
    }
    expect(await throughStream(sealBytes(keys, Buffer.from('by bytes')), 1)).toEqual(Buffer.from('by bytes'));
  });

  it('shows nothing of its content, and never is the same twice', () => {
    const plain = Buffer.from('planted '.repeat(10_000));
    const [one, other] = [sealBytes(keys, plain), sealBytes(keys, plain)];
    expect(one.includes('planted')).toBe(false);
    expect(one.equals(other)).toBe(false);
  });

  it('is refused when any byte was changed, lost, added or moved', async () => {
    const sealed = sealBytes(keys, randomBytes(2 * PIECE + 100));
    const refused = async (bytes: Buffer, what: string) => {
      expect(() => openBytes(keys, bytes), what).toThrow(SealError);
      await expect(throughStream(bytes, 50_000), what).rejects.toThrow(SealError);
    };
    const places = fc.sample(fc.integer({ min: 5, max: sealed.length - 1 }), { numRuns: 40, seed: 3 });
    for (const at of places) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      await refused(changed, `byte ${at}`);
      await refused(sealed.subarray(0, at), `cut off at ${at}`);
    }
    await refused(Buffer.concat([sealed, Buffer.from([0])]), 'one more byte');
    const head = sealed.length - (2 * PIECE + 100) - 3 * 16;
    const piece = (at: number) => sealed.subarray(head + at * (PIECE + 16), head + (at + 1) * (PIECE + 16));
    await refused(Buffer.concat([sealed.subarray(0, head), piece(1), piece(0), piece(2)]), 'pieces in another order');
    await refused(Buffer.concat([sealed.subarray(0, head), piece(0), piece(2)]), 'a piece left out');
    await refused(sealed.subarray(0, head + 2 * (PIECE + 16)), 'ended behind a whole piece');
    const other = sealBytes(keys, randomBytes(2 * PIECE + 100));
    await refused(Buffer.concat([sealed.subarray(0, head), other.subarray(head)]), 'pieces of another file');
  });

  it('names the key that is missing', () => {
    const sealed = sealBytes(new KeyRing([second]), Buffer.from('x'));
    expect(() => openBytes(keys, sealed)).toThrow(/"k2", which ENCRYPTION_KEYS does not have/);
    expect(() => openBytes(undefined, sealed)).toThrow(/"k2", and ENCRYPTION_KEYS is not set/);
  });

  it('is told from what is not: that passes as it is', async () => {
    for (const text of ['', 'M', 'MLSE', 'MLSF and more', '{"a": 1}']) {
      expect(openBytes(keys, Buffer.from(text)).toString()).toBe(text);
      expect((await throughStream(Buffer.from(text), 2)).toString()).toBe(text);
    }
    expect(isSealed(sealBytes(keys, Buffer.alloc(0)))).toBe(true);
  });
});

describe('files', () => {
  it('are sealed anew with the key that writes now, and keep their content and digest', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'content');
    await sealFinished(path);
    expect(readFileSync(path, 'utf8'), 'without keys').toBe('content');
    useFileKeys([first]);
    await sealFinished(path);
    expect(await keyIdOfFile(path)).toBe('k1');
    useFileKeys([second, first]);
    expect((await readAtRest(path)).toString()).toBe('content');
    await sealInPlace(path);
    expect(await keyIdOfFile(path)).toBe('k2');
    useFileKeys([second]);
    expect((await readAtRest(path)).toString()).toBe('content');
    expect(await sha256AtRest(path)).toBe(sha256('content'));
    useFileKeys([first]);
    await expect(readAtRest(path)).rejects.toMatchObject({
      code: 'artifact_corrupt',
      message: expect.stringContaining(path) as string,
    });
  });

  it('are not sealed anew by a process that writes with another key than was asked for', async () => {
    const signal = new AbortController().signal;
    const refused = reencryptFiles('k2', { signal } as Parameters<typeof reencryptFiles>[1]);
    await expect(refused).rejects.toMatchObject({ code: 'dependency_unavailable', message: /has no ENCRYPTION_KEYS/ });
    expect(() => requireWritingKey()).toThrow(/ENCRYPTION_KEYS is not set/);
    useFileKeys([first, second]);
    const other = reencryptFiles('k2', { signal } as Parameters<typeof reencryptFiles>[1]);
    await expect(other).rejects.toMatchObject({ message: /writes with the key "k1". Put "k2" first/ });
    expect(requireWritingKey()).toBe('k1');
  });

  it('of Parquet are read by their names, alone, in lists and by pattern, sealed and plain side by side', async () => {
    useFileKeys([first]);
    const files = [1, 2, 3].map((at) => join(folder, `data-'${at}.parquet`));
    for (const [at, file] of files.entries())
      await withDuckDb((connection) =>
        connection.run(`COPY (SELECT ${at} AS a, 'planted' AS b) TO ${quoteText(file)} (FORMAT parquet)`),
      );
    for (const file of files.slice(0, 2)) await sealFinished(file);
    expect(readFileSync(files[0]!).includes('planted')).toBe(false);
    const rows = (relation: string) =>
      withDuckDb((connection) => queryRows<{ a: number }>(connection, `SELECT a FROM ${relation} ORDER BY a`));
    expect(await rows(`read_parquet(${quoteText(files[1]!)})`)).toEqual([{ a: 1 }]);
    const list = `[${files.map(quoteText).join(', ')}]`;
    expect(await rows(`read_parquet(${list}, filename = true) WHERE list_position(${list}, filename) > 1`)).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
    expect(await rows(`read_parquet(${quoteText(join(folder, 'data-*.parquet'))})`)).toEqual([
      { a: 0 },
      { a: 1 },
      { a: 2 },
    ]);
    const damaged = readFileSync(files[0]!);
    damaged[damaged.length - 30]! ^= 1;
    writeFileSync(files[0]!, damaged);
    await expect(rows(`read_parquet(${quoteText(files[0]!)})`)).rejects.toMatchObject({ code: 'artifact_corrupt' });
  });

  it('of quarantine are told to be empty by their size, sealed and plain', async () => {
    const path = join(folder, 'quarantine.parquet');
    for (const keys of [undefined, [{ ...first, id: 'k'.repeat(64) }]]) {
      useFileKeys(keys);
      await withDuckDb((connection) =>
        connection.run(
          `COPY (SELECT 1::BIGINT AS row_number, '' AS reason, '' AS raw) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`,
        ),
      );
      expect(statSync(path).size).toBeGreaterThan(EMPTY_QUARANTINE_BYTES + 50);
      await emptyQuarantine(path);
      expect(statSync(path).size).toBeLessThan(EMPTY_QUARANTINE_BYTES - 20);
      expect(await keyIdOfFile(path)).toBe(keys?.[0]!.id);
    }
  });

  it('of the spool hold no row that can be read, and give all rows to who has the key', async () => {
    useFileKeys([first]);
    const lost: unknown[] = [];
    const spool = new Spool({
      folder: join(folder, 'spool'),
      mostBytes: 1e6,
      logger: createLogger('test', 'fatal'),
      onLost: (rows) => lost.push(rows),
    });
    const now = Date.now();
    for (const text of ['"planted 1"\n', '"planted 2"\n'])
      spool.append({ rows: 1, firstMs: now, lastMs: now, payload: Buffer.from(text) });
    useFileKeys([second]);
    await expect(spool.next(1e6)).rejects.toThrow(/"k1", which ENCRYPTION_KEYS does not have/);
    useFileKeys([second, first]);
    // Who looks for a person looks into what is sealed, and tells of what does not open.
    const has = (text: string) => searchFiles(join(folder, 'spool'), text, new Set());
    expect((await has('planted')).found).toHaveLength(1);
    expect((await has('plant')).found).toEqual([]);
    useFileKeys([second]);
    expect((await has('plant')).found).toEqual([expect.stringMatching(/\.spool \(cannot be read\)$/)]);
    useFileKeys([second, first]);
    const batch = await spool.next(1e6);
    expect(batch!.frames.map(({ payload }) => payload.toString())).toEqual(['"planted 1"\n', '"planted 2"\n']);
    expect(lost).toEqual([]);
    spool.close();
  });
});
