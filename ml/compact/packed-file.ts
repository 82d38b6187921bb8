import { crc32, refuseModel } from '../model-format.js';

/*
 * Layout, little-endian. Header of 24 bytes: magic "MLPSPK\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of all bytes,
 * u32 bytes of the description. Then the description as JSON in UTF-8, and the sections it lists, each beginning at a multiple of 8.
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x50, 0x4b, 0, 0];
const VERSION = 1;
const HEADER_BYTES = 24;

const TYPES = {
  i8: Int8Array,
  i16: Int16Array,
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
};
type TypeName = keyof typeof TYPES;
/** Numbers of a section, each as wide as it has to be. */
export type PackedNumbers =
  Int8Array | Int16Array | Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;

/** What a packed file holds. */
export interface Packed {
  /** What the model is besides its numbers; plain JSON. */
  header: Record<string, unknown>;
  sections: Record<string, PackedNumbers>;
}

const align = (at: number): number => Math.ceil(at / 8) * 8;

/** Writes numbers as bytes, section by section. The same content always gives the same bytes. */
export function encodePacked({ header, sections }: Packed): Uint8Array {
  const listed = Object.entries(sections).map(([name, numbers]) => ({
    name,
    type: (Object.keys(TYPES) as TypeName[]).find((type) => numbers instanceof TYPES[type])!,
    length: numbers.length,
  }));
  const text = new TextEncoder().encode(JSON.stringify({ header, sections: listed }));
  let end = align(HEADER_BYTES + text.length);
  const starts = Object.values(sections).map(({ byteLength }) => {
    const start = end;
    end = align(end + byteLength);
    return start;
  });
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  [VERSION, 0, end, text.length].forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  bytes.set(text, HEADER_BYTES);
  Object.values(sections).forEach(({ buffer, byteOffset, byteLength }, at) =>
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), starts[at]),
  );
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

/** Whether bytes begin as a packed file does. */
export const isPacked = (bytes: Uint8Array): boolean => MAGIC.every((byte, i) => bytes[i] === byte);

/**
 * Reads the sections back. Nothing in the bytes is executed; the checksum, every length and every name are checked before use. What the
 * numbers mean is for the caller to check.
 * @param model what it should be, such as `forest`
 * @param expected the names of its sections
 * @throws ModelFormatError saying what is wrong
 */
export function decodePacked(bytes: Uint8Array, model: string, expected: readonly string[]): Packed {
  const refuse = (what: string): never => refuseModel(model, what);
  if (bytes.length < HEADER_BYTES) refuse(`it has ${bytes.length} bytes, the header alone has ${HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (index: number): number => view.getUint32(8 + 4 * index, true);
  if (number(0) !== VERSION) refuse(`it has format version ${number(0)}, this program reads version ${VERSION}`);
  if (number(2) !== bytes.length)
    refuse(`it says it has ${number(2)} bytes but has ${bytes.length}: it was cut short or added to`);
  if (crc32(bytes.subarray(16)) !== number(1))
    refuse('its checksum does not match: it was damaged after it was written');
  const described = readDescription(bytes.subarray(HEADER_BYTES, HEADER_BYTES + number(3)));
  if (!described) return refuse('its description is not one of a packed file');
  const { header, sections: listed } = described;
  const sections: Record<string, PackedNumbers> = {};
  let at = align(HEADER_BYTES + number(3));
  for (const { name, type, length } of listed) {
    const size = length * TYPES[type].BYTES_PER_ELEMENT;
    if (at + size > bytes.length) refuse(`its section ${name} needs ${size} bytes, which are not there`);
    // A copy lies where eight bytes may be read as a number; a slice of a Buffer would be none.
    sections[name] = new TYPES[type](new Uint8Array(bytes.subarray(at, at + size)).buffer);
    at = align(at + size);
  }
  if (at !== bytes.length) refuse(`its sections end at ${at} but it has ${bytes.length} bytes`);
  const missing = expected.find((name) => !sections[name]);
  if (missing !== undefined) refuse(`it has no section ${missing}`);
  return { header, sections };
}

interface Description {
  header: Record<string, unknown>;
  sections: { name: string; type: TypeName; length: number }[];
}

function readDescription(text: Uint8Array): Description | undefined {
  try {
    const found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)) as Partial<Description>;
    const { header, sections } = found;
    if (typeof header !== 'object' || header === null || !Array.isArray(sections)) return undefined;
    const isSection = ({ name, type, length }: Description['sections'][number]) =>
      typeof name === 'string' && Object.hasOwn(TYPES, type) && Number.isInteger(length) && length >= 0;
    return sections.every(isSection) ? { header, sections } : undefined;
  } catch {
    return undefined;
  }
}

/** Whole numbers from 0 on, as narrow as the largest of them allows. */
export function narrow(numbers: readonly number[] | Uint32Array): Uint8Array | Uint16Array | Uint32Array {
  let most = 0;
  for (const value of numbers) most = Math.max(most, value);
  return most < 256 ? Uint8Array.from(numbers) : most < 65_536 ? Uint16Array.from(numbers) : Uint32Array.from(numbers);
}
