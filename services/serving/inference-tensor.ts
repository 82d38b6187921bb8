import { ServiceError } from '../../core/errors.js';

/** A tensor of the Open Inference Protocol; `data` is flat, in row-major order. */
export interface InferenceTensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  data: unknown[];
}

/** How a datatype's values lie in bytes (little-endian), and which of them JSON may give. */
interface Storage {
  bytes: number;
  read: (view: DataView, at: number) => unknown;
  write: (view: DataView, at: number, value: unknown) => void;
  fits: (value: unknown) => boolean;
}

const isNumber = (value: unknown) => typeof value === 'number';
const whole = (low: number, high: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= low && (value as number) <= high;

const NUMBERS = {
  BOOL: {
    bytes: 1,
    read: (view, at) => view.getUint8(at) !== 0,
    write: (view, at, value) => view.setUint8(at, value === true ? 1 : 0),
    fits: (value) => typeof value === 'boolean' || value === 0 || value === 1,
  },
  UINT8: integer(1, 'Uint8', 0, 0xff),
  UINT16: integer(2, 'Uint16', 0, 0xffff),
  UINT32: integer(4, 'Uint32', 0, 0xffffffff),
  UINT64: longInteger('BigUint64', 0, 2 ** 64),
  INT8: integer(1, 'Int8', -0x80, 0x7f),
  INT16: integer(2, 'Int16', -0x8000, 0x7fff),
  INT32: integer(4, 'Int32', -0x80000000, 0x7fffffff),
  INT64: longInteger('BigInt64', -(2 ** 63), 2 ** 63),
  FP16: {
    bytes: 2,
    read: (view, at) => halfToNumber(view.getUint16(at, true)),
    write: () => refuse('outputs', 'FP16 is read, not written'),
    fits: isNumber,
  },
  FP32: {
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, value as number, true),
    fits: isNumber,
  },
  FP64: {
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, value as number, true),
    fits: isNumber,
  },
} as const satisfies Record<string, Storage>;

export type Datatype = keyof typeof NUMBERS | 'BYTES';
export const DATATYPES: readonly Datatype[] = [...(Object.keys(NUMBERS) as Datatype[]), 'BYTES'];

function integer(
  bytes: number,
  name: 'Uint8' | 'Uint16' | 'Uint32' | 'Int8' | 'Int16' | 'Int32',
  low: number,
  high: number,
): Storage {
  return {
    bytes,
    read: (view, at) => view[`get${name}`](at, true),
    write: (view, at, value) => view[`set${name}`](at, value as number, true),
    fits: whole(low, high),
  };
}

/** Whole numbers of 64 bits become the nearest double: features are doubles. */
function longInteger(name: 'BigUint64' | 'BigInt64', low: number, high: number): Storage {
  return {
    bytes: 8,
    read: (view, at) => Number(view[`get${name}`](at, true)),
    write: (view, at, value) => view[`set${name}`](at, BigInt(value as number), true),
    fits: whole(low, high),
  };
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? 2 ** -24 * fraction : 2 ** (exponent - 15) * (1 + fraction / 1024));
}

function refuse(path: string, message: string): never {
  throw new ServiceError('request_invalid', `${path}: ${message}.`, [{ path, message }]);
}

/** @throws ServiceError `request_invalid` for a name that is no datatype of the protocol */
export function datatypeOf(value: unknown, path: string): Datatype {
  if ((DATATYPES as readonly unknown[]).includes(value)) return value as Datatype;
  return refuse(path, `must be one of ${DATATYPES.join(', ')}, got ${JSON.stringify(value)?.slice(0, 60)}`);
}

/** The count of a tensor's values. @throws ServiceError `request_invalid` for anything but [n] and [n, 1] */
export function rowsOf(shape: unknown, path: string): number {
  const isShape =
    Array.isArray(shape) &&
    (shape.length === 1 || (shape.length === 2 && Number(shape[1]) === 1)) &&
    shape.every((size) => Number.isSafeInteger(Number(size)) && Number(size) >= 0);
  if (!isShape) refuse(path, `must be [n] or [n, 1], got ${JSON.stringify(shape)?.slice(0, 60)}`);
  return Number((shape as number[])[0]);
}

/** Values as JSON gives them; null is missing. @throws ServiceError `request_invalid` that names the first that does not fit */
export function checkValues(datatype: Datatype, data: readonly unknown[], path: string): unknown[] {
  const fits = datatype === 'BYTES' ? (value: unknown) => typeof value === 'string' : NUMBERS[datatype].fits;
  return data.map((value, at) => {
    if (value === null) return null;
    if (!fits(value)) refuse(`${path}.${at}`, `${JSON.stringify(value)?.slice(0, 60)} is no ${datatype}`);
    return datatype === 'BOOL' ? value === true || value === 1 : value;
  });
}

/**
 * Values of the binary representation: fixed sizes one after the other; each of BYTES with its length (u32) before it, as UTF-8.
 * @throws ServiceError `request_invalid` where the bytes do not hold exactly `count` values
 */
export function decodeRaw(datatype: Datatype, bytes: Uint8Array, count: number, path: string): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype !== 'BYTES') {
    const { bytes: size, read } = NUMBERS[datatype];
    if (bytes.length !== size * count)
      refuse(path, `${count} values of ${datatype} are ${size * count} bytes, not ${bytes.length}`);
    return Array.from({ length: count }, (_, at) => read(view, at * size));
  }
  const texts: string[] = [];
  let at = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (; texts.length < count && at + 4 <= bytes.length;) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) break;
    try {
      texts.push(decoder.decode(bytes.subarray(at + 4, end)));
    } catch {
      refuse(path, `value ${texts.length} is no UTF-8`);
    }
    at = end;
  }
  if (texts.length !== count || at !== bytes.length) refuse(path, `the bytes do not hold exactly ${count} texts`);
  return texts;
}

/** The binary representation of a tensor that we answer with. */
export function encodeRaw({ datatype, data }: InferenceTensor): Buffer {
  if (datatype === 'BYTES') {
    return Buffer.concat(
      data.flatMap((value) => {
        const text = Buffer.from(String(value ?? ''), 'utf8');
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        return [length, text];
      }),
    );
  }
  const { bytes: size, write } = NUMBERS[datatype];
  const bytes = Buffer.alloc(size * data.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  data.forEach((value, at) => write(view, at * size, datatype === 'FP64' ? (value ?? NaN) : value));
  return bytes;
}
