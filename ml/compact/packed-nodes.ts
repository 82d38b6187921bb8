import type { TreeNodes } from '../ensemble/forest.js';
import { adoptChildren } from '../tree/adopt-children.js';
import { narrow, type PackedNumbers } from './packed-file.js';

/** The nodes of several trees, as forests and boosted models have them. */
export type SplitNodes = Pick<TreeNodes, 'treeOffsets' | 'feature' | 'threshold' | 'left' | 'missingLeft' | 'cover'>;

export const NODE_SECTIONS = [
  'tree_offsets',
  'features',
  'threshold_starts',
  'thresholds',
  'threshold_codes',
  'left',
  'missing_left',
  'leaf_covers',
] as const;

/**
 * Splits as few bytes, without loss: a threshold is a number in the list of those of its column, a child is counted from the first node of its
 * tree, and the cover of an inner node is what its leaves have together. Covers that are no whole numbers are kept in single precision.
 */
export function packNodes(nodes: SplitNodes, columns: number): Record<string, PackedNumbers> {
  const { treeOffsets, feature, threshold, left, missingLeft, cover } = nodes;
  const { starts, values, codeOf } = listThresholds(nodes, columns);
  const codes: number[] = [];
  const children: number[] = [];
  const sides: number[] = [];
  const covers: number[] = [];
  for (let tree = 0; tree + 1 < treeOffsets.length; tree++)
    for (let node = treeOffsets[tree]!; node < treeOffsets[tree + 1]!; node++) {
      if (feature[node]! < 0) {
        covers.push(cover[node]!);
        continue;
      }
      codes.push(codeOf(feature[node]!, threshold[node]!));
      children.push(left[node]! - treeOffsets[tree]!);
      sides.push(missingLeft[node]!);
    }
  const missing = new Uint8Array(Math.ceil(sides.length / 8));
  sides.forEach((side, at) => (missing[at >> 3]! |= side << (at & 7)));
  const areWhole = covers.every((one) => Number.isInteger(one) && one < 2 ** 32);
  return {
    tree_offsets: narrow([...treeOffsets]),
    features: narrow(Uint32Array.from(feature, (column) => column + 1)),
    threshold_starts: narrow(starts),
    thresholds: Float64Array.from(values),
    threshold_codes: narrow(codes),
    left: narrow(children),
    missing_left: missing,
    leaf_covers: areWhole ? narrow(covers) : Float32Array.from(covers),
  };
}

/** The different thresholds of each column, column after column. */
function listThresholds({ feature, threshold }: SplitNodes, columns: number) {
  const sets = Array.from({ length: columns }, () => new Set<number>());
  feature.forEach((column, node) => {
    if (column >= 0) sets[column]!.add(threshold[node]!);
  });
  const starts = [0];
  const values: number[] = [];
  const places = sets.map((set) => {
    const sorted = [...set].sort((a, b) => a - b);
    values.push(...sorted);
    starts.push(values.length);
    return new Map(sorted.map((value, at) => [value, at]));
  });
  return { starts, values, codeOf: (column: number, value: number) => places[column]!.get(value)! };
}

/**
 * Reads the splits back.
 * @param refuse is told what is wrong, and does not return
 */
export function unpackNodes(
  sections: Record<string, PackedNumbers>,
  columns: number,
  refuse: (what: string) => never,
): SplitNodes {
  const section = (name: (typeof NODE_SECTIONS)[number]): PackedNumbers => sections[name]!;
  const treeOffsets = Int32Array.from(section('tree_offsets'));
  const feature = Int32Array.from(section('features'), (column) => column - 1);
  const count = feature.length;
  const inner = feature.reduce((sum, column) => sum + (column < 0 ? 0 : 1), 0);
  checkTrees(treeOffsets, feature, columns, refuse);
  const [starts, thresholds, codes] = [
    section('threshold_starts'),
    section('thresholds'),
    section('threshold_codes'),
  ] as const;
  const isFitting =
    starts.length === columns + 1 &&
    codes.length === inner &&
    section('left').length === inner &&
    section('missing_left').length === Math.ceil(inner / 8) &&
    section('leaf_covers').length === count - inner;
  if (!isFitting) refuse('its sections do not have the sizes that its nodes need');
  const nodes: SplitNodes = {
    treeOffsets,
    feature,
    threshold: new Float64Array(count),
    left: new Int32Array(count),
    missingLeft: new Uint8Array(count),
    cover: new Float64Array(count),
  };
  for (let node = 0, split = 0, leaf = 0; node < count; node++) {
    const column = feature[node]!;
    if (column < 0) {
      const cover = section('leaf_covers')[leaf++]!;
      if (!(cover >= 0 && cover < Infinity)) refuse(`the leaf at node ${node} has the cover ${cover}`);
      nodes.cover[node] = cover;
      continue;
    }
    const at = starts[column]! + codes[split]!;
    if (!(at < starts[column + 1]! && Number.isFinite(thresholds[at])))
      refuse(`node ${node} has a threshold that is not there`);
    nodes.threshold[node] = thresholds[at]!;
    nodes.left[node] = section('left')[split]!;
    nodes.missingLeft[node] = (section('missing_left')[split >> 3]! >> (split & 7)) & 1;
    split++;
  }
  adoptChildren(nodes, refuse);
  for (let node = count - 1; node >= 0; node--)
    if (feature[node]! >= 0) nodes.cover[node] = nodes.cover[nodes.left[node]!]! + nodes.cover[nodes.left[node]! + 1]!;
  return nodes;
}

function checkTrees(
  treeOffsets: Int32Array,
  feature: Int32Array,
  columns: number,
  refuse: (what: string) => never,
): void {
  if (treeOffsets.length < 2 || treeOffsets[0] !== 0 || treeOffsets.at(-1) !== feature.length)
    refuse('its trees do not fill its nodes');
  for (let tree = 0; tree + 1 < treeOffsets.length; tree++)
    if (treeOffsets[tree + 1]! <= treeOffsets[tree]!) refuse(`tree ${tree} has no nodes`);
  const wrong = feature.findIndex((column) => column >= columns);
  if (wrong >= 0) refuse(`node ${wrong} looks at column ${feature[wrong]} of ${columns}`);
}

/** Bits of a number that stands for another. */
export type Bits = 8 | 16;

/** Numbers as steps between the least and the largest of them. */
export interface Steps {
  codes: Uint8Array | Uint16Array;
  origin: number;
  step: number;
}

/** @returns the steps nearest to the values: none is off by more than half a step */
export function toSteps(values: Float64Array, bits: Bits): Steps {
  const origin = values.reduce((least, value) => Math.min(least, value), Infinity);
  const most = values.reduce((largest, value) => Math.max(largest, value), -Infinity);
  const steps = 2 ** bits - 1;
  const step = (most - origin) / steps;
  const of = (value: number) => (step > 0 ? Math.min(steps, Math.round((value - origin) / step)) : 0);
  const codes = bits === 8 ? Uint8Array.from(values, of) : Uint16Array.from(values, of);
  return { codes, origin, step };
}
