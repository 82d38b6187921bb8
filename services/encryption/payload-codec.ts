import type { Payload, PayloadCodec } from '@temporalio/common';
import type { KeyRing } from './key-ring.js';
import { readPayload, writePayload } from './payload-bytes.js';

const ENCODING = 'binary/encrypted';
const CONTEXT = 'temporal payload';
const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('utf8');

/**
 * Encrypts what clients and workers give to Temporal: inputs, results, heartbeats, signals, memos. Temporal keeps and shows ciphertext only.
 * A payload that is not encrypted passes as it is, so that histories from before and what the `temporal` command line sends can be read.
 */
export function createPayloadCodec(keys: KeyRing): PayloadCodec {
  return {
    encode: (payloads) =>
      Promise.resolve(
        payloads.map((payload): Payload => {
          const { keyId, bytes } = keys.seal(writePayload(payload), CONTEXT);
          return {
            metadata: { encoding: Buffer.from(ENCODING), 'encryption-key-id': Buffer.from(keyId) },
            data: bytes,
          };
        }),
      ),
    decode: (payloads) =>
      Promise.resolve(
        payloads.map((payload): Payload => {
          const { metadata } = payload;
          if (text(metadata?.['encoding']) !== ENCODING) return payload;
          const keyId = text(metadata?.['encryption-key-id']);
          return readPayload(keys.open({ keyId, bytes: payload.data ?? new Uint8Array() }, CONTEXT));
        }),
      ),
  };
}
