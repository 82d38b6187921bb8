import { crc32, refuseModel } from '../model-format.js';
import type { AnomalyDetector } from './anomaly-detector.js';
import type { IsolationForest } from './isolation-forest.js';
import type { ParetoTail } from './pareto-tail.js';
import type { SurpriseCurve } from './surprise-curve.js';
import type { TailTable } from './tail-table.js';

/*
 * Layout, little-endian: magic "MLPSAD\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of all bytes, u32 columns,
 * u32 forests, u32 training rows. Then a table for each column, the curves (of ECOD and of each forest), and the forests. An array
 * is its length as u32 and its values as f64, i32 or u8; a tail is three f64.
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x41, 0x44, 0, 0];
const VERSION = 2;
const HEADER_BYTES = 32;

/** Writes a detector as bytes: 25 a node of its trees. The same detector always gives the same bytes. */
export function encodeDetector(detector: AnomalyDetector): Uint8Array {
  const sizing = new ByteWriter(undefined);
  writeParts(sizing, detector);
  const bytes = new Uint8Array(sizing.at);
  const view = new DataView(bytes.buffer);
  writeParts(new ByteWriter(view), detector);
  bytes.set(MAGIC);
  const { ecod, forests } = detector;
  [VERSION, 0, bytes.length, ecod.columns.length, forests.length, ecod.trainRows].forEach((value, i) =>
    view.setUint32(8 + 4 * i, value, true),
  );
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

function writeParts(writer: ByteWriter, { ecod, forests, curves }: AnomalyDetector): void {
  for (const table of ecod.columns) {
    writer.doubles([table.count, table.skew, table.average]);
    writer.tail(table.upper);
    writer.tail(table.lower);
    writer.doubles(table.knots);
    writer.words(table.below);
    writer.words(table.atOrBelow);
  }
  for (const curve of curves) {
    writer.tail(curve.tail);
    writer.doubles(curve.scores);
    writer.doubles(curve.surprises);
  }
  for (const forest of forests) {
    writer.words([forest.features, forest.sampleSize, forest.trainRows]);
    writer.words(forest.treeOffsets);
    writer.words(forest.feature);
    writer.words(forest.left);
    writer.doubles(forest.threshold);
    writer.doubles(forest.expected);
    writer.octets(forest.missingLeft);
  }
}

/** Writes arrays one after the other; without a view it only counts the bytes. */
class ByteWriter {
  at = HEADER_BYTES;

  constructor(private readonly view: DataView | undefined) {}

  doubles(values: ArrayLike<number>): void {
    this.length(values.length);
    for (let k = 0; k < values.length; k++, this.at += 8) this.view?.setFloat64(this.at, values[k]!, true);
  }

  words(values: ArrayLike<number>): void {
    this.length(values.length);
    for (let k = 0; k < values.length; k++, this.at += 4) this.view?.setInt32(this.at, values[k]!, true);
  }

  octets(values: Uint8Array): void {
    this.length(values.length);
    for (let k = 0; k < values.length; k++, this.at++) this.view?.setUint8(this.at, values[k]!);
  }

  tail({ threshold, shape, scale }: ParetoTail): void {
    this.doubles([threshold, shape, scale]);
  }

  private length(count: number): void {
    this.view?.setUint32(this.at, count, true);
    this.at += 4;
  }
}

/**
 * Reads a detector back, bit for bit. The checksum, every size and every index are checked before use.
 * @throws ModelFormatError saying what is wrong
 */
export function decodeDetector(bytes: Uint8Array): AnomalyDetector {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) refuse('it has not the header of one');
  const number = (index: number): number => view.getUint32(8 + 4 * index, true);
  if (number(0) !== VERSION) refuse(`it has format version ${number(0)}, this program reads version ${VERSION}`);
  if (number(2) !== bytes.length) refuse(`it says it has ${number(2)} bytes but has ${bytes.length}`);
  if (crc32(bytes.subarray(16)) !== number(1))
    refuse('its checksum does not match: it was damaged after it was written');
  const [columns, forestCount] = [number(3), number(4)];
  // Each needs more bytes than this.
  if (columns < 1 || (columns + forestCount) * 100 > bytes.length)
    refuse(`it says ${columns} columns and ${forestCount} forests, which do not fit into it`);
  const reader = new ByteReader(view);
  const tables = Array.from({ length: columns }, () => readTable(reader));
  const curves = Array.from({ length: forestCount + 1 }, () => readCurve(reader));
  const forests = Array.from({ length: forestCount }, () => readForest(reader, columns));
  if (reader.at !== bytes.length) refuse('it is longer than its parts');
  return { ecod: { trainRows: number(5), columns: tables }, forests, curves };
}

class ByteReader {
  at = HEADER_BYTES;

  constructor(private readonly view: DataView) {}

  doubles(expected?: number): Float64Array {
    const count = this.length(8, expected);
    const values = Float64Array.from({ length: count }, (_, k) => this.view.getFloat64(this.at + 8 * k, true));
    this.at += 8 * count;
    return values;
  }

  words(expected?: number): Int32Array {
    const count = this.length(4, expected);
    const values = Int32Array.from({ length: count }, (_, k) => this.view.getInt32(this.at + 4 * k, true));
    this.at += 4 * count;
    return values;
  }

  octets(expected: number): Uint8Array {
    const count = this.length(1, expected);
    const values = Uint8Array.from({ length: count }, (_, k) => this.view.getUint8(this.at + k));
    this.at += count;
    return values;
  }

  tail(): ParetoTail {
    const [threshold, shape, scale] = this.doubles(3) as unknown as [number, number, number];
    if (!(Number.isFinite(threshold) && shape >= 0 && shape <= 1 && scale >= 0))
      refuse(`a tail has the threshold ${threshold}, the shape ${shape} and the scale ${scale}`);
    return { threshold, shape, scale };
  }

  private length(size: number, expected?: number): number {
    if (this.at + 4 > this.view.byteLength) refuse('its parts do not fit into it');
    const count = this.view.getUint32(this.at, true);
    this.at += 4;
    if (this.at + count * size > this.view.byteLength) refuse('its parts do not fit into it');
    if (expected !== undefined && count !== expected) refuse(`a part has ${count} values in place of ${expected}`);
    return count;
  }
}

function readTable(reader: ByteReader): TailTable {
  const [count, skew, average] = reader.doubles(3) as unknown as [number, number, number];
  const [upper, lower] = [reader.tail(), reader.tail()];
  const knots = reader.doubles();
  const below = Uint32Array.from(reader.words(knots.length));
  const atOrBelow = Uint32Array.from(reader.words(knots.length));
  requireRising(knots, 'the values of a column');
  if (!(count >= 0 && Number.isFinite(average) && (skew === -1 || skew === 0 || skew === 1)))
    refuse(`a column has ${count} values, the skew ${skew} and the average ${average}`);
  if (knots.length === 0 ? count > 0 : atOrBelow.at(-1) !== count) refuse('a column does not count its values');
  return { count, knots, below, atOrBelow, skew, upper, lower, average };
}

function readCurve(reader: ByteReader): SurpriseCurve {
  const tail = reader.tail();
  const scores = reader.doubles();
  const surprises = reader.doubles(scores.length);
  if (scores.length === 0) refuse('a curve has no points');
  requireRising(scores, 'the scores of a curve');
  return { scores, surprises, tail };
}

function requireRising(values: Float64Array, what: string): void {
  for (let k = 0; k < values.length; k++)
    if (!Number.isFinite(values[k]!) || (k > 0 && !(values[k]! > values[k - 1]!))) refuse(`${what} do not rise`);
}

function readForest(reader: ByteReader, columns: number): IsolationForest {
  const [features, sampleSize, trainRows] = reader.words(3) as unknown as [number, number, number];
  if (features !== columns) refuse(`a forest has ${features} columns, the tables have ${columns}`);
  const treeOffsets = reader.words();
  const feature = reader.words();
  const nodes = feature.length;
  const left = reader.words(nodes);
  const threshold = reader.doubles(nodes);
  const expected = reader.doubles(nodes);
  const missingLeft = reader.octets(nodes);
  const forest = { features, sampleSize, trainRows, treeOffsets, feature, threshold, left, missingLeft, expected };
  checkForest(forest);
  return forest;
}

function refuse(what: string): never {
  return refuseModel('anomaly detector', what);
}

/** Children lie behind their parent and inside their tree, so that no walk goes in circles or out of bounds. */
function checkForest({ features, treeOffsets, feature, left }: IsolationForest): void {
  if (treeOffsets.length < 2 || treeOffsets[0] !== 0 || treeOffsets.at(-1) !== feature.length)
    refuse('its trees do not fill it');
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const end = treeOffsets[tree + 1]!;
    if (!(end > treeOffsets[tree]!)) refuse(`tree ${tree} has no nodes`);
    for (let node = treeOffsets[tree]!; node < end; node++) {
      if (left[node]! < 0) continue;
      const isRight = feature[node]! >= 0 && feature[node]! < features && left[node]! > node && left[node]! + 1 < end;
      if (!isRight) refuse(`node ${node} looks at column ${feature[node]} and has the child ${left[node]}`);
    }
  }
}
