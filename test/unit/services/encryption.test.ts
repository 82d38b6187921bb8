import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../services/config.js';
import { KeyRing, parseKeys } from '../../../services/encryption/key-ring.js';
import { payloadFromText, payloadToText } from '../../../services/encryption/payload-bytes.js';
import { createPayloadCodec } from '../../../services/encryption/payload-codec.js';

const key = () => randomBytes(32);
const [first, second] = [
  { id: 'k1', key: key() },
  { id: 'k2', key: key() },
];
const one = new KeyRing([first]);
const both = new KeyRing([second, first]);

describe('a ring of keys', () => {
  it('opens what it has sealed, in its own context only, and never makes the same bytes twice', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (plain) => {
        const sealed = one.seal(plain, 'a');
        expect(Buffer.from(one.open(sealed, 'a'))).toEqual(Buffer.from(plain));
        expect(() => one.open(sealed, 'b')).toThrow(/do not open/);
        expect(one.seal(plain, 'a').bytes).not.toEqual(sealed.bytes);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('notices every changed bit and every lost byte', () => {
    const { keyId, bytes } = one.seal(Buffer.from('a value'), 'a');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1;
      expect(() => one.open({ keyId, bytes: changed }, 'a')).toThrow(/were changed/);
      expect(() => one.open({ keyId, bytes: bytes.subarray(0, at) }, 'a')).toThrow(/cut off|were changed/);
    }
  });

  it('reads what former keys wrote, writes with the first, and names the key that it lacks', () => {
    expect(Buffer.from(both.open(one.seal(Buffer.from('old'), 'a'), 'a')).toString()).toBe('old');
    expect(both.seal(Buffer.from('new'), 'a').keyId).toBe('k2');
    expect(() => one.open(both.seal(Buffer.from('new'), 'a'), 'a')).toThrow(
      /"k2", which ENCRYPTION_KEYS does not have/,
    );
  });
});

describe('ENCRYPTION_KEYS', () => {
  const encoded = first.key.toString('base64');
  it('are pairs of an id and 32 bytes', () => {
    expect(parseKeys(`a:${encoded}, b:${second.key.toString('base64')}`)).toEqual([
      { id: 'a', key: first.key },
      { id: 'b', key: second.key },
    ]);
  });

  it.each([
    ['nothing but a key', encoded, /entry 1 is not id:base64/],
    ['a short key', `a:${encoded},b:${randomBytes(16).toString('base64')}`, /entry 2 is not id:base64/],
    ['an id twice', `a:${encoded},a:${encoded}`, /"a" is there twice/],
    ['a comma too many', `a:${encoded},`, /entry 2/],
  ])('with %s stop the start, and no key is shown', (_name, text, message) => {
    const start = () => loadConfig({ DATABASE_URL: 'postgresql://u:p@127.0.0.1/db', ENCRYPTION_KEYS: text });
    expect(start).toThrow(message);
    expect(start).toThrow(expect.not.objectContaining({ message: expect.stringContaining(encoded.slice(0, 20)) }));
  });
});

describe('payloads of Temporal', () => {
  const codec = createPayloadCodec(both);
  const values = [{ model: 'churn', rows: [1, 2.5] }, 'text', null, undefined, new Uint8Array([0, 255])];

  it('come back as they were, through JSON as well, and show nothing of themselves', async () => {
    const payloads = values.map((value) => defaultPayloadConverter.toPayload(value));
    const encoded = await codec.encode(payloads);
    expect(Buffer.concat(encoded.map(({ data }) => data!)).includes('churn')).toBe(false);
    const sent = JSON.parse(JSON.stringify(encoded.map(payloadToText))) as ReturnType<typeof payloadToText>[];
    const decoded = await codec.decode(sent.map(payloadFromText));
    expect(decoded.map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(values);
  });

  it('that were written without encryption stay readable', async () => {
    const plain = defaultPayloadConverter.toPayload('from before');
    expect(await codec.decode([plain])).toEqual([plain]);
  });
});
