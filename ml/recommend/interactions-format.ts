import { crc32 } from '../model-format.js';
import type { Interactions } from './interactions.js';
import { refuse, SectionReader, SectionWriter } from './sections.js';

/*
 * Layout, little-endian. Header of 40 bytes: magic "MLPSINT\0", u32 version, u32 crc32 of all bytes after it, u32 length of all
 * bytes, u32 users, u32 items, u32 entries, u32 1 with times and 0 without, u32 reserved (0). Then:
 *   weights f64 x entries | times f64 x entries | offsets u32 x (users + 1) | items u32 x entries
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x49, 0x4e, 0x54, 0];
const VERSION = 1;
const HEADER_BYTES = 40;

const bytesOf = (users: number, entries: number): number => HEADER_BYTES + 20 * entries + 4 * (users + 1);

/** Writes interactions as bytes that `decodeInteractions` reads back to the bit. */
export function encodeInteractions({ users, items, offsets, item, weight, time, hasTimes }: Interactions): Uint8Array {
  const bytes = new Uint8Array(bytesOf(users, item.length));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const header = new SectionWriter(view, 16);
  header.words([bytes.length, users, items, item.length, hasTimes ? 1 : 0, 0]);
  view.setUint32(8, VERSION, true);
  const writer = new SectionWriter(view, HEADER_BYTES);
  writer.doubles(weight);
  writer.doubles(time);
  writer.words(offsets);
  writer.words(item);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

/**
 * Reads interactions; every index and number is checked.
 * @throws ModelFormatError for bytes that are none, are of another version or were damaged
 */
export function decodeInteractions(bytes: Uint8Array): Interactions {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES)
    refuse(`its histories have ${bytes.length} bytes, their header alone ${HEADER_BYTES}`);
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) refuse('its histories do not begin with their magic');
  const version = view.getUint32(8, true);
  if (version !== VERSION) refuse(`its histories have the version ${version}, this program reads version ${VERSION}`);
  if (view.getUint32(12, true) !== crc32(bytes.subarray(16))) refuse('the checksum of its histories is wrong');
  const [length, users, items, entries, hasTimes] = [16, 20, 24, 28, 32].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (length !== bytes.length || length !== bytesOf(users, entries))
    refuse(`its histories need ${bytesOf(users, entries)} bytes, say ${length} and have ${bytes.length}`);
  const reader = new SectionReader(view, HEADER_BYTES);
  const weight = reader.doubles(entries);
  const time = reader.doubles(entries);
  if (weight.some((value) => !(value > 0 && value < Infinity))) refuse('a weight of its histories is not above 0');
  if (time.some((value) => !Number.isFinite(value))) refuse('a time of its histories is no number');
  const { offsets, columns: item } = reader.pattern(users, items, entries, false);
  return { users, items, offsets, item, weight, time, hasTimes: hasTimes === 1 };
}
