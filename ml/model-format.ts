/** A file that is no model of its kind, is of another version, or was damaged. */
export class ModelFormatError extends Error {
  override readonly name = 'ModelFormatError';
}

/**
 * @param model what the bytes should have been, such as `forest`
 * @throws ModelFormatError always
 */
export function refuseModel(model: string, what: string): never {
  throw new ModelFormatError(
    `this is not a readable ${model}: ${what}. Restore the artifact from its source or train the model again`,
  );
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** The CRC-32 of ISO 3309 (as in gzip and PNG). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
