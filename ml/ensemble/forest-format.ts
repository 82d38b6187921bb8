import { decodeCompactForest } from '../compact/compact-forest.js';
import { isPacked } from '../compact/packed-file.js';
import { crc32, refuseModel } from '../model-format.js';
import { adoptChildren } from '../tree/adopt-children.js';
import type { ForestTask, RandomForest } from './forest.js';
import { treeCount } from './forest.js';

/*
 * Layout, little-endian. Header of 48 bytes: magic "MLPSRF\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of
 * all bytes, u32 task (0 = regression, else classes), u32 features, u32 train rows, u32 trees, u32 nodes, u32 leaves,
 * u32 flags (bit 0: covers are whole numbers). Then, each section beginning at a multiple of 8:
 *   thresholds f64 x inner nodes | leaf answers f64 (of two classes only the second's) | covers u32 or f64 x nodes
 *   tree offsets u32 x trees | left children u32 x inner nodes, counted from the tree's first node (the right child is the next)
 *   features u16 (u32 for 65,535 columns and more) x nodes: 0 = leaf, else column + 1 | missing sides u8 x nodes
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x52, 0x46, 0, 0];
const VERSION = 1;
const HEADER_BYTES = 48;
const COVERS_ARE_WHOLE = 1;
const MOST_COLUMNS = 1_000_000;

interface Layout {
  task: number;
  features: number;
  trainRows: number;
  trees: number;
  nodes: number;
  leaves: number;
  flags: number;
}

interface Sections {
  thresholds: number;
  answers: number;
  covers: number;
  offsets: number;
  left: number;
  features: number;
  missing: number;
  end: number;
}

function answersPerLeaf(task: number): number {
  return task <= 2 ? 1 : task;
}

function placeSections(layout: Layout): Sections {
  const align = (at: number): number => Math.ceil(at / 8) * 8;
  const inner = layout.nodes - layout.leaves;
  const thresholds = HEADER_BYTES;
  const answers = thresholds + 8 * inner;
  const covers = answers + 8 * layout.leaves * answersPerLeaf(layout.task);
  const offsets = align(covers + (layout.flags & COVERS_ARE_WHOLE ? 4 : 8) * layout.nodes);
  const left = align(offsets + 4 * layout.trees);
  const features = align(left + 4 * inner);
  const missing = align(features + (layout.features < 65_535 ? 2 : 4) * layout.nodes);
  return { thresholds, answers, covers, offsets, left, features, missing, end: missing + layout.nodes };
}

/** Writes a forest as bytes: about 20 bytes a node. The same forest always gives the same bytes. */
export function encodeForest(forest: RandomForest): Uint8Array {
  if (forest.packed) return forest.packed;
  const nodes = forest.feature.length;
  const leaves = forest.feature.reduce((count, feature) => count + (feature < 0 ? 1 : 0), 0);
  const areWhole = forest.cover.every((cover) => Number.isInteger(cover) && cover < 4294967296);
  const layout: Layout = {
    task: forest.task.kind === 'classification' ? forest.task.classes : 0,
    features: forest.features,
    trainRows: forest.trainRows,
    trees: treeCount(forest),
    nodes,
    leaves,
    flags: areWhole ? COVERS_ARE_WHOLE : 0,
  };
  const at = placeSections(layout);
  const bytes = new Uint8Array(at.end);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const header = [
    VERSION,
    0,
    at.end,
    layout.task,
    layout.features,
    layout.trainRows,
    layout.trees,
    nodes,
    leaves,
    layout.flags,
  ];
  header.forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  for (let tree = 0; tree < layout.trees; tree++)
    view.setUint32(at.offsets + 4 * tree, forest.treeOffsets[tree]!, true);
  writeNodes(forest, layout, at, view);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

function writeNodes(forest: RandomForest, layout: Layout, at: Sections, view: DataView): void {
  const perLeaf = answersPerLeaf(layout.task);
  const skip = layout.task === 2 ? 1 : 0;
  let inner = 0;
  let leaf = 0;
  for (let tree = 0; tree < layout.trees; tree++) {
    const root = forest.treeOffsets[tree]!;
    for (let node = root; node < forest.treeOffsets[tree + 1]!; node++) {
      const feature = forest.feature[node]! + 1;
      if (layout.features < 65_535) view.setUint16(at.features + 2 * node, feature, true);
      else view.setUint32(at.features + 4 * node, feature, true);
      view.setUint8(at.missing + node, forest.missingLeft[node]!);
      if (layout.flags & COVERS_ARE_WHOLE) view.setUint32(at.covers + 4 * node, forest.cover[node]!, true);
      else view.setFloat64(at.covers + 8 * node, forest.cover[node]!, true);
      if (feature > 0) {
        view.setFloat64(at.thresholds + 8 * inner, forest.threshold[node]!, true);
        view.setUint32(at.left + 4 * inner++, forest.left[node]! - root, true);
        continue;
      }
      for (let i = 0; i < perLeaf; i++) {
        view.setFloat64(at.answers + 8 * leaf++, forest.values[forest.valueOffset[node]! + skip + i]!, true);
      }
    }
  }
}

/**
 * Reads a forest back, bit for bit. Nothing in the bytes is executed, and nothing is trusted: the checksum, every size and
 * every index are checked before use, and a child must have a higher number than its parent, so that no walk can go in circles.
 * @throws ModelFormatError saying what is wrong
 */
export function decodeForest(bytes: Uint8Array): RandomForest {
  if (isPacked(bytes)) return decodeCompactForest(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = readHeader(bytes, view);
  const at = placeSections(layout);
  if (at.end !== bytes.length) refuse(`its sections need ${at.end} bytes but it has ${bytes.length}`);
  if (crc32(bytes.subarray(16)) !== view.getUint32(12, true))
    refuse('its checksum does not match: it was damaged after it was written');
  const outputs = Math.max(1, layout.task);
  const task: ForestTask =
    layout.task === 0 ? { kind: 'regression' } : { kind: 'classification', classes: layout.task };
  const forest: RandomForest = {
    task,
    outputs,
    features: layout.features,
    trainRows: layout.trainRows,
    treeOffsets: readTreeOffsets(layout, at, view),
    feature: new Int32Array(layout.nodes),
    threshold: new Float64Array(layout.nodes),
    left: new Int32Array(layout.nodes),
    missingLeft: new Uint8Array(layout.nodes),
    cover: new Float64Array(layout.nodes),
    valueOffset: new Int32Array(layout.nodes),
    values: new Float64Array(layout.leaves * outputs),
  };
  readNodes(forest, layout, at, view);
  adoptChildren(forest, refuse);
  return forest;
}

function refuse(what: string): never {
  return refuseModel('forest', what);
}

function readHeader(bytes: Uint8Array, view: DataView): Layout {
  if (bytes.length < HEADER_BYTES) refuse(`it has ${bytes.length} bytes, the header alone has ${HEADER_BYTES}`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) refuse('it does not begin with the magic of a forest');
  const number = (index: number): number => view.getUint32(8 + 4 * index, true);
  if (number(0) !== VERSION) refuse(`it has format version ${number(0)}, this program reads version ${VERSION}`);
  if (number(2) !== bytes.length)
    refuse(`it says it has ${number(2)} bytes but has ${bytes.length}: it was cut short or added to`);
  const layout = {
    task: number(3),
    features: number(4),
    trainRows: number(5),
    trees: number(6),
    nodes: number(7),
    leaves: number(8),
    flags: number(9),
  };
  if (layout.trees < 1 || layout.nodes < layout.trees)
    refuse(`it says ${layout.trees} trees with ${layout.nodes} nodes`);
  // A tree of n leaves has n - 1 inner nodes.
  if (2 * layout.leaves !== layout.nodes + layout.trees)
    refuse(`${layout.nodes} nodes in ${layout.trees} trees cannot have ${layout.leaves} leaves`);
  // Nothing else in the bytes bounds the room that a prediction takes for a row.
  if (layout.features > MOST_COLUMNS) refuse(`it says ${layout.features} columns, more than ${MOST_COLUMNS}`);
  if (layout.flags > COVERS_ARE_WHOLE) refuse(`it has unknown flags ${layout.flags}`);
  return layout;
}

function readTreeOffsets(layout: Layout, at: Sections, view: DataView): Int32Array {
  const offsets = new Int32Array(layout.trees + 1);
  offsets[layout.trees] = layout.nodes;
  for (let tree = 0; tree < layout.trees; tree++) {
    const offset = view.getUint32(at.offsets + 4 * tree, true);
    const isFitting = tree === 0 ? offset === 0 : offset > offsets[tree - 1]! && offset < layout.nodes;
    if (!isFitting) refuse(`tree ${tree} begins at node ${offset} of ${layout.nodes}`);
    offsets[tree] = offset;
  }
  return offsets;
}

function readNodes(forest: RandomForest, layout: Layout, at: Sections, view: DataView): void {
  const inners = layout.nodes - layout.leaves;
  let inner = 0;
  let leaf = 0;
  for (let node = 0; node < layout.nodes; node++) {
    const feature =
      layout.features < 65_535
        ? view.getUint16(at.features + 2 * node, true)
        : view.getUint32(at.features + 4 * node, true);
    if (feature > layout.features) refuse(`node ${node} looks at column ${feature - 1} of ${layout.features}`);
    const missing = view.getUint8(at.missing + node);
    if (missing > 1) refuse(`node ${node} sends missing values to side ${missing}`);
    const cover =
      layout.flags & COVERS_ARE_WHOLE
        ? view.getUint32(at.covers + 4 * node, true)
        : view.getFloat64(at.covers + 8 * node, true);
    if (!(cover > 0 && cover < Infinity)) refuse(`node ${node} has the cover ${cover}`);
    forest.feature[node] = feature - 1;
    forest.missingLeft[node] = missing;
    forest.cover[node] = cover;
    forest.left[node] = -1;
    forest.valueOffset[node] = -1;
    if (feature === 0) {
      if (leaf === layout.leaves) refuse(`there are more than ${layout.leaves} leaves`);
      readAnswer(forest, layout, at, view, node, leaf++);
      continue;
    }
    if (inner === inners) refuse(`there are more than ${inners} inner nodes`);
    forest.threshold[node] = view.getFloat64(at.thresholds + 8 * inner, true);
    if (!Number.isFinite(forest.threshold[node])) refuse(`node ${node} has the threshold ${forest.threshold[node]}`);
    forest.left[node] = view.getUint32(at.left + 4 * inner++, true);
  }
}

function readAnswer(
  forest: RandomForest,
  layout: Layout,
  at: Sections,
  view: DataView,
  node: number,
  leaf: number,
): void {
  const perLeaf = answersPerLeaf(layout.task);
  const offset = leaf * forest.outputs;
  forest.valueOffset[node] = offset;
  for (let i = 0; i < perLeaf; i++) {
    const value = view.getFloat64(at.answers + 8 * (leaf * perLeaf + i), true);
    if (!Number.isFinite(value)) refuse(`the leaf at node ${node} answers ${value}`);
    if (layout.task === 2) {
      forest.values[offset] = 1 - value;
      forest.values[offset + 1] = value;
    } else {
      forest.values[offset + i] = value;
    }
  }
}
