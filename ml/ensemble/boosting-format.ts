import { decodeCompactBoosting } from '../compact/compact-boosting.js';
import { isPacked } from '../compact/packed-file.js';
import { crc32, refuseModel } from '../model-format.js';
import { adoptChildren } from '../tree/adopt-children.js';
import { LOSSES, marginCount, type BoostingLoss } from './boosting-loss.js';
import { roundCount, type GradientBoosting } from './boosting-model.js';

/*
 * Layout, little-endian. Header of 64 bytes: magic "MLPSGB\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of all
 * bytes, u32 loss, u32 classes, u32 features, u32 train rows, u32 trees, u32 nodes, u32 sets of codes, u32 rounds in the
 * training history, u32 in the validation history, f64 alpha. Then, each section beginning at a multiple of 8:
 *   base margins f64 | training losses f64 | validation losses f64 | thresholds f64 x nodes | values f64 x nodes
 *   covers f64 x nodes | tree offsets u32 x trees | left children u32 x nodes (0 = leaf, else counted from the tree's first node)
 *   columns u32 x nodes (0 = leaf, else column + 1) | set numbers u32 x nodes (0 = none) | code sets u32 x 8 | missing sides u8 x nodes
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x47, 0x42, 0, 0];
const VERSION = 1;
const HEADER_BYTES = 64;
const MOST_COLUMNS = 1_000_000;

interface Layout {
  loss: BoostingLoss;
  features: number;
  trainRows: number;
  trees: number;
  nodes: number;
  sets: number;
  trainRounds: number;
  validationRounds: number;
}

/** Byte offsets of the sections, in the order of the layout above. */
function placeSections(layout: Layout) {
  const { nodes, trees, sets } = layout;
  let at = HEADER_BYTES;
  const take = (bytes: number): number => {
    const start = at;
    at = Math.ceil((at + bytes) / 8) * 8;
    return start;
  };
  const sections = {
    base: take(8 * marginCount(layout.loss)),
    trainLosses: take(8 * layout.trainRounds),
    validationLosses: take(8 * layout.validationRounds),
    thresholds: take(8 * nodes),
    values: take(8 * nodes),
    covers: take(8 * nodes),
    offsets: take(4 * trees),
    left: take(4 * nodes),
    columns: take(4 * nodes),
    setNumbers: take(4 * nodes),
    codes: take(32 * sets),
    missing: take(nodes),
  };
  return { ...sections, end: at };
}

/** Writes a boosted model as bytes. The same model always gives the same bytes. */
export function encodeBoosting(model: GradientBoosting): Uint8Array {
  if (model.packed) return model.packed;
  const { loss, history, treeOffsets } = model;
  const layout: Layout = {
    loss,
    features: model.features,
    trainRows: model.trainRows,
    trees: treeOffsets.length - 1,
    nodes: model.feature.length,
    sets: model.codes.length / 8,
    trainRounds: history.train.length,
    validationRounds: history.validation.length,
  };
  const at = placeSections(layout);
  const bytes = new Uint8Array(at.end);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const header = [
    VERSION,
    0,
    at.end,
    LOSSES.indexOf(loss.kind),
    loss.kind === 'softmax' ? loss.classes : 0,
    layout.features,
    layout.trainRows,
    layout.trees,
    layout.nodes,
    layout.sets,
    layout.trainRounds,
    layout.validationRounds,
  ];
  header.forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  view.setFloat64(56, loss.kind === 'quantile' ? loss.alpha : 0, true);
  const doubles = (start: number, values: Float64Array) =>
    values.forEach((value, i) => view.setFloat64(start + 8 * i, value, true));
  doubles(at.base, model.baseMargins);
  doubles(at.trainLosses, history.train);
  doubles(at.validationLosses, history.validation);
  doubles(at.thresholds, model.threshold);
  doubles(at.values, model.value);
  doubles(at.covers, model.cover);
  for (let tree = 0; tree < layout.trees; tree++) writeTree(model, tree, at, view);
  model.codes.forEach((word, i) => view.setUint32(at.codes + 4 * i, word, true));
  bytes.set(model.missingLeft, at.missing);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

function writeTree(model: GradientBoosting, tree: number, at: ReturnType<typeof placeSections>, view: DataView): void {
  const root = model.treeOffsets[tree]!;
  view.setUint32(at.offsets + 4 * tree, root, true);
  for (let node = root; node < model.treeOffsets[tree + 1]!; node++) {
    const left = model.left[node]!;
    view.setUint32(at.left + 4 * node, left < 0 ? 0 : left - root, true);
    view.setUint32(at.columns + 4 * node, model.feature[node]! + 1, true);
    const set = model.codeOffset[node]!;
    view.setUint32(at.setNumbers + 4 * node, set < 0 ? 0 : set / 8 + 1, true);
  }
}

/**
 * Reads a boosted model back, bit for bit. Nothing in the bytes is executed, and nothing is trusted: the checksum, every size and
 * every index are checked before use, and a child must have a higher number than its parent, so that no walk can go in circles.
 * @throws ModelFormatError saying what is wrong
 */
export function decodeBoosting(bytes: Uint8Array): GradientBoosting {
  if (isPacked(bytes)) return decodeCompactBoosting(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = readHeader(bytes, view);
  const at = placeSections(layout);
  if (at.end !== bytes.length) refuse(`its sections need ${at.end} bytes but it has ${bytes.length}`);
  if (crc32(bytes.subarray(16)) !== view.getUint32(12, true))
    refuse('its checksum does not match: it was damaged after it was written');
  const { nodes, trees, sets } = layout;
  const doubles = (start: number, count: number, name: string): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => {
      const value = view.getFloat64(start + 8 * i, true);
      return Number.isFinite(value) ? value : refuse(`${name} ${i} is ${value}`);
    });
  const model: GradientBoosting = {
    loss: layout.loss,
    features: layout.features,
    trainRows: layout.trainRows,
    baseMargins: doubles(at.base, marginCount(layout.loss), 'base margin'),
    treeOffsets: Int32Array.from({ length: trees + 1 }, (_, tree) =>
      tree === trees ? nodes : view.getUint32(at.offsets + 4 * tree, true),
    ),
    feature: Int32Array.from({ length: nodes }, (_, node) => view.getUint32(at.columns + 4 * node, true) - 1),
    threshold: doubles(at.thresholds, nodes, 'threshold'),
    left: Int32Array.from({ length: nodes }, (_, node) => view.getUint32(at.left + 4 * node, true)),
    missingLeft: bytes.slice(at.missing, at.missing + nodes),
    cover: doubles(at.covers, nodes, 'cover'),
    value: doubles(at.values, nodes, 'value'),
    codeOffset: Int32Array.from(
      { length: nodes },
      (_, node) => 8 * (view.getUint32(at.setNumbers + 4 * node, true) - 1),
    ).map((offset) => (offset < 0 ? -1 : offset)),
    codes: Uint32Array.from({ length: 8 * sets }, (_, i) => view.getUint32(at.codes + 4 * i, true)),
    history: {
      train: doubles(at.trainLosses, layout.trainRounds, 'training loss'),
      validation: doubles(at.validationLosses, layout.validationRounds, 'validation loss'),
    },
  };
  checkNodes(model);
  adoptChildren(model, refuse);
  return model;
}

function refuse(what: string): never {
  return refuseModel('boosted model', what);
}

function readHeader(bytes: Uint8Array, view: DataView): Layout {
  if (bytes.length < HEADER_BYTES) refuse(`it has ${bytes.length} bytes, the header alone has ${HEADER_BYTES}`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) refuse('it does not begin with the magic of a boosted model');
  const number = (index: number): number => view.getUint32(8 + 4 * index, true);
  if (number(0) !== VERSION) refuse(`it has format version ${number(0)}, this program reads version ${VERSION}`);
  if (number(2) !== bytes.length)
    refuse(`it says it has ${number(2)} bytes but has ${bytes.length}: it was cut short or added to`);
  const layout: Layout = {
    loss: readLoss(number(3), number(4), view.getFloat64(56, true)),
    features: number(5),
    trainRows: number(6),
    trees: number(7),
    nodes: number(8),
    sets: number(9),
    trainRounds: number(10),
    validationRounds: number(11),
  };
  const { trees, nodes, features, sets } = layout;
  if (trees % marginCount(layout.loss) !== 0 || nodes < trees || nodes > bytes.length || sets > nodes)
    refuse(`it says ${trees} trees with ${nodes} nodes and ${sets} sets of codes`);
  // Nothing else in the bytes bounds the room that a prediction takes for a row.
  if (features > MOST_COLUMNS) refuse(`it says ${features} columns, more than ${MOST_COLUMNS}`);
  if (layout.trainRounds > bytes.length || layout.validationRounds > bytes.length) refuse('its history is too long');
  return layout;
}

function readLoss(index: number, classes: number, alpha: number): BoostingLoss {
  const kind = LOSSES[index];
  if (kind === undefined) refuse(`it has the unknown loss ${index}`);
  if (kind === 'softmax')
    return classes >= 2 && classes <= 65_535 ? { kind, classes } : refuse(`it has ${classes} classes`);
  if (kind === 'quantile') return alpha > 0 && alpha < 1 ? { kind, alpha } : refuse(`it has the quantile ${alpha}`);
  return { kind };
}

/** What a node says must be possible, and each tree must have nodes. */
function checkNodes(model: GradientBoosting): void {
  const { treeOffsets, feature, missingLeft, cover, codeOffset, codes, features } = model;
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const root = treeOffsets[tree]!;
    const end = treeOffsets[tree + 1]!;
    if ((tree === 0 && root !== 0) || !(end > root)) refuse(`tree ${tree} reaches from node ${root} to ${end}`);
    for (let node = root; node < end; node++) {
      if (missingLeft[node]! > 1) refuse(`node ${node} sends missing values to side ${missingLeft[node]}`);
      if (!(cover[node]! >= 0)) refuse(`node ${node} has the cover ${cover[node]}`);
      if (codeOffset[node]! >= 0 && codeOffset[node]! + 8 > codes.length)
        refuse(`node ${node} has a set of codes that is not there`);
      if (feature[node]! >= features) refuse(`node ${node} looks at column ${feature[node]} of ${features}`);
    }
  }
  if (roundCount(model) < 1) refuse('it has no trees');
}
