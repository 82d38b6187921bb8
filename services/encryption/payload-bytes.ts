import type { Payload } from '@temporalio/common';

/** A payload as JSON has it, bytes as base64: the form of Temporal's codec servers. */
export interface PayloadText {
  metadata?: Record<string, string>;
  data?: string;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

export const payloadToText = ({ metadata, data }: Payload): PayloadText => ({
  ...(metadata && {
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, bytes]) => [name, base64(bytes)])),
  }),
  ...(data && { data: base64(data) }),
});

export const payloadFromText = ({ metadata, data }: PayloadText): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
  ),
  data: Buffer.from(data ?? '', 'base64'),
});

/** A payload as bytes: the length of its metadata in four bytes, the metadata as JSON, the data as they are. */
export function writePayload(payload: Payload): Uint8Array {
  const { metadata } = payloadToText({ metadata: payload.metadata });
  const head = Buffer.from(JSON.stringify(metadata ?? {}));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, payload.data ?? new Uint8Array()]);
}

/** @throws Error when the bytes are no payload */
export function readPayload(bytes: Uint8Array): Payload {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.length < 4 || all.readUInt32LE(0) > all.length - 4) throw new Error('The decrypted bytes are no payload.');
  const end = 4 + all.readUInt32LE(0);
  const { metadata } = payloadFromText({
    metadata: JSON.parse(all.toString('utf8', 4, end)) as Record<string, string>,
  });
  return { metadata, data: all.subarray(end) };
}
