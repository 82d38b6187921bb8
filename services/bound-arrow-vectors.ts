import { ByteBuffer } from 'flatbuffers';

/**
 * The metadata of Arrow are lists whose lengths stand before them, and its reader walks each to the end that it claims: some bytes could keep a
 * process busy for hours and fill its memory, before there is anything to look at. Every entry takes a byte at least, so that no
 * list can be longer than its message.
 */
const lengthOf = ByteBuffer.prototype.__vector_len;
ByteBuffer.prototype.__vector_len = function boundedLength(this: ByteBuffer, offset: number): number {
  const length = lengthOf.call(this, offset);
  if (length < 0 || length > this.capacity())
    throw new RangeError(`a list in its metadata claims ${length} entries, in ${this.capacity()} bytes`);
  return length;
};
