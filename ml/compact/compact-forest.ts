import type { RandomForest } from '../ensemble/forest.js';
import { refuseModel } from '../model-format.js';
import { decodePacked, encodePacked, type PackedNumbers } from './packed-file.js';
import { NODE_SECTIONS, packNodes, toSteps, unpackNodes, type Bits } from './packed-nodes.js';

const MOST_COLUMNS = 1_000_000;
const MOST_CLASSES = 65_535;

/**
 * Writes a forest in 8 or 16 bits a leaf answer, about 5 or 6 bytes a node: a probability as its share of 255 or 65,535, a value as a step
 * between the least and the largest answer of its tree. Splits keep their thresholds. `decodeForest` reads it.
 */
export function encodeCompactForest(forest: RandomForest, bits: Bits): Uint8Array {
  const { task, features, trainRows, outputs, values } = forest;
  const classes = task.kind === 'classification' ? task.classes : 0;
  return encodePacked({
    header: { model: 'random_forest', classes, features, train_rows: trainRows, bits },
    sections: {
      ...packNodes(forest, features),
      ...(classes > 0 ? { answers: shareCodes(values, outputs, bits) } : stepSections(forest, bits)),
    },
  });
}

/** Of two classes only the second's. Of more, one at least is above 0. */
function shareCodes(values: Float64Array, outputs: number, bits: Bits): PackedNumbers {
  const most = 2 ** bits - 1;
  const codes: number[] = [];
  for (let leaf = 0; leaf < values.length; leaf += outputs) {
    const own = Array.from(values.subarray(leaf, leaf + outputs));
    if (outputs === 2) {
      codes.push(Math.round(own[1]! * most));
      continue;
    }
    const largest = own.indexOf(Math.max(...own));
    codes.push(...own.map((value, c) => Math.max(c === largest ? 1 : 0, Math.round(value * most))));
  }
  return bits === 8 ? Uint8Array.from(codes) : Uint16Array.from(codes);
}

function stepSections({ treeOffsets, valueOffset, values }: RandomForest, bits: Bits): Record<string, PackedNumbers> {
  const steps = Array.from({ length: treeOffsets.length - 1 }, (_, tree) =>
    toSteps(
      Float64Array.from(valueOffset.subarray(treeOffsets[tree], treeOffsets[tree + 1]).filter((at) => at >= 0)).map(
        (at) => values[at]!,
      ),
      bits,
    ),
  );
  const codes = steps.flatMap((one) => [...one.codes]);
  return {
    answers: bits === 8 ? Uint8Array.from(codes) : Uint16Array.from(codes),
    origins: Float64Array.from(steps, ({ origin }) => origin),
    steps: Float64Array.from(steps, ({ step }) => step),
  };
}

/** @throws ModelFormatError saying what is wrong */
export function decodeCompactForest(bytes: Uint8Array): RandomForest {
  const refuse = (what: string): never => refuseModel('forest', what);
  const { header, sections } = decodePacked(bytes, 'forest', [...NODE_SECTIONS, 'answers']);
  const { model, classes, features, train_rows: trainRows, bits } = header;
  const isCount = (value: unknown, most: number): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
  if (model !== 'random_forest' || (bits !== 8 && bits !== 16)) return refuse('it says that it is another model');
  if (
    !isCount(classes, MOST_CLASSES) ||
    classes === 1 ||
    !isCount(features, MOST_COLUMNS) ||
    !isCount(trainRows, 2 ** 32)
  )
    return refuse(`it says ${String(classes)} classes, ${String(features)} columns and ${String(trainRows)} rows`);
  const nodes = unpackNodes(sections, features, refuse);
  const outputs = Math.max(1, classes);
  const valueOffset = new Int32Array(nodes.feature.length).fill(-1);
  let leaves = 0;
  nodes.feature.forEach((column, node) => {
    if (column < 0) valueOffset[node] = outputs * leaves++;
    if (!(nodes.cover[node]! > 0)) refuse(`node ${node} has the cover ${nodes.cover[node]}`);
  });
  const perLeaf = classes === 2 ? 1 : outputs;
  if (sections['answers']!.length !== leaves * perLeaf) refuse(`it has no answer for each of its ${leaves} leaves`);
  const shape = {
    task: classes > 0 ? ({ kind: 'classification', classes } as const) : ({ kind: 'regression' } as const),
  };
  const values =
    classes > 0
      ? readShares(sections['answers']!, classes, 2 ** bits - 1, refuse)
      : readSteps(sections, nodes.treeOffsets, valueOffset, refuse);
  return { ...shape, outputs, features, trainRows, ...nodes, valueOffset, values, packed: bytes };
}

function readShares(
  codes: PackedNumbers,
  classes: number,
  most: number,
  refuse: (what: string) => never,
): Float64Array {
  if (classes === 2) {
    const values = new Float64Array(2 * codes.length);
    codes.forEach((code, leaf) => {
      values[2 * leaf] = 1 - code / most;
      values[2 * leaf + 1] = code / most;
    });
    return values;
  }
  const values = new Float64Array(codes.length);
  for (let leaf = 0; leaf < codes.length; leaf += classes) {
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += codes[leaf + c]!;
    if (sum === 0) refuse(`a leaf gives no class a share`);
    for (let c = 0; c < classes; c++) values[leaf + c] = codes[leaf + c]! / sum;
  }
  return values;
}

function readSteps(
  sections: Record<string, PackedNumbers>,
  treeOffsets: Int32Array,
  valueOffset: Int32Array,
  refuse: (what: string) => never,
): Float64Array {
  const { answers, origins, steps } = sections;
  const trees = treeOffsets.length - 1;
  if (origins?.length !== trees || steps?.length !== trees) return refuse('it has no steps for each of its trees');
  const values = new Float64Array(answers!.length);
  for (let tree = 0; tree < trees; tree++)
    for (let node = treeOffsets[tree]!; node < treeOffsets[tree + 1]!; node++) {
      const at = valueOffset[node]!;
      if (at < 0) continue;
      values[at] = origins[tree]! + answers![at]! * steps[tree]!;
      if (!Number.isFinite(values[at])) refuse(`the leaf at node ${node} answers ${values[at]}`);
    }
  return values;
}
