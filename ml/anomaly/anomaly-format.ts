import { crc32, ModelFormatError } from '../ensemble/forest-format.js';
import type { AnomalyDetector } from './anomaly-detector.js';

/*
 * Layout, little-endian: magic "MLPSAD\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of all bytes, u32 features,
 * u32 sample size, u32 trees, u32 nodes, u32 ranks of the forest, u32 ranks of ECOD, u32 train rows; then by column u32 values and
 * i32 skewness; then f64: thresholds, path lengths, ranks of the forest, ranks of ECOD, the values column by column; then i32: tree
 * offsets, columns, left children; then u8 missing sides. Doubles begin at a multiple of 8.
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x41, 0x44, 0, 0];
const VERSION = 1;
const HEADER_BYTES = 48;

const align = (at: number): number => Math.ceil(at / 8) * 8;

/** Writes a detector as bytes. The same detector always gives the same bytes. */
export function encodeDetector({ forest, ecod, forestScores, ecodScores }: AnomalyDetector): Uint8Array {
  const nodes = forest.feature.length;
  const trees = forest.treeOffsets.length - 1;
  const doubles = [forest.threshold, forest.expected, forestScores, ecodScores, ...ecod.columns.map((c) => c.sorted)];
  const words = [forest.treeOffsets, forest.feature, forest.left];
  const start = align(HEADER_BYTES + 8 * ecod.columns.length);
  const doubleBytes = 8 * doubles.reduce((sum, part) => sum + part.length, 0);
  const wordBytes = 4 * words.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(start + doubleBytes + wordBytes + nodes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const header = [
    VERSION,
    0,
    bytes.length,
    forest.features,
    forest.sampleSize,
    trees,
    nodes,
    forestScores.length,
    ecodScores.length,
    forest.trainRows,
  ];
  header.forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  ecod.columns.forEach(({ sorted, skewness }, i) => {
    view.setUint32(HEADER_BYTES + 8 * i, sorted.length, true);
    view.setInt32(HEADER_BYTES + 8 * i + 4, skewness, true);
  });
  let at = start;
  for (const part of doubles) for (const value of part) at = (view.setFloat64(at, value, true), at + 8);
  for (const part of words) for (const value of part) at = (view.setInt32(at, value, true), at + 4);
  bytes.set(forest.missingLeft, at);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
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
  const [features, sampleSize, trees, nodes] = [number(3), number(4), number(5), number(6)] as const;
  let at = align(HEADER_BYTES + 8 * features);
  if (at > bytes.length) refuse(`it says ${features} columns, which do not fit into it`);
  const shapes = Array.from({ length: features }, (_, i) => ({
    values: view.getUint32(HEADER_BYTES + 8 * i, true),
    skewness: view.getInt32(HEADER_BYTES + 8 * i + 4, true),
  }));
  const room = (count: number, size: number): void => {
    if (at + count * size > bytes.length) refuse('its parts do not fit into it');
  };
  const doubles = (count: number): Float64Array => {
    room(count, 8);
    const part = Float64Array.from({ length: count }, (_, i) => view.getFloat64(at + 8 * i, true));
    at += 8 * count;
    return part;
  };
  const words = (count: number): Int32Array => {
    room(count, 4);
    const part = Int32Array.from({ length: count }, (_, i) => view.getInt32(at + 4 * i, true));
    at += 4 * count;
    return part;
  };
  const threshold = doubles(nodes);
  const expected = doubles(nodes);
  const forestScores = doubles(number(7));
  const ecodScores = doubles(number(8));
  const columns = shapes.map(({ values, skewness }) => ({ sorted: doubles(values), skewness }));
  const treeOffsets = words(trees + 1);
  const feature = words(nodes);
  const left = words(nodes);
  room(nodes, 1);
  const missingLeft = bytes.slice(at, at + nodes);
  if (at + nodes !== bytes.length) refuse('it is longer than its parts');
  const forest = {
    features,
    sampleSize,
    trainRows: number(9),
    treeOffsets,
    feature,
    threshold,
    left,
    missingLeft,
    expected,
  };
  checkForest(forest);
  return { forest, ecod: { columns }, forestScores, ecodScores };
}

function refuse(what: string): never {
  throw new ModelFormatError(
    `this is not a readable anomaly detector: ${what}. Restore the artifact from its source or train the model again`,
  );
}

/** Children lie behind their parent and inside their tree, so that no walk goes in circles or out of bounds. */
function checkForest({ features, treeOffsets, feature, left }: AnomalyDetector['forest']): void {
  if (treeOffsets.length < 2 || treeOffsets[0] !== 0 || treeOffsets.at(-1) !== feature.length)
    refuse('its trees do not fill it');
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const end = treeOffsets[tree + 1]!;
    if (!(end > treeOffsets[tree]!)) refuse(`tree ${tree} has no nodes`);
    for (let node = treeOffsets[tree]!; node < end; node++) {
      if (feature[node]! < 0) continue;
      const isRight = feature[node]! < features && left[node]! > node && left[node]! + 1 < end;
      if (!isRight) refuse(`node ${node} looks at column ${feature[node]} and has the child ${left[node]}`);
    }
  }
}
