import type { GradientBoosting } from '../ensemble/boosting-model.js';
import { LOSSES, marginCount, type BoostingLoss } from '../ensemble/boosting-loss.js';
import { refuseModel } from '../model-format.js';
import { decodePacked, encodePacked, narrow, type PackedNumbers } from './packed-file.js';
import { NODE_SECTIONS, packNodes, toSteps, unpackNodes, type Bits } from './packed-nodes.js';

const MOST_COLUMNS = 1_000_000;
const SECTIONS = [
  ...NODE_SECTIONS,
  'base_margins',
  'answers',
  'origins',
  'steps',
  'gains',
  'set_numbers',
  'code_sets',
  'training_losses',
  'validation_losses',
] as const;

/**
 * Writes a boosted model in 8 or 16 bits a leaf: its answer is a step between the least and the largest of its tree. Splits keep their
 * thresholds and sets; gains and the history of losses are kept in single precision. `decodeBoosting` reads it.
 */
export function encodeCompactBoosting(model: GradientBoosting, bits: Bits): Uint8Array {
  const { loss, features, trainRows, treeOffsets, feature, value, codeOffset, codes, history } = model;
  const steps = Array.from({ length: treeOffsets.length - 1 }, (_, tree) => {
    const own: number[] = [];
    for (let node = treeOffsets[tree]!; node < treeOffsets[tree + 1]!; node++)
      if (feature[node]! < 0) own.push(value[node]!);
    return toSteps(Float64Array.from(own), bits);
  });
  const answers = steps.flatMap((one) => [...one.codes]);
  const isInner = (_: number, node: number) => feature[node]! >= 0;
  return encodePacked({
    header: { model: 'gradient_boosting', loss, features, train_rows: trainRows, bits },
    sections: {
      ...packNodes(model, features),
      base_margins: model.baseMargins,
      answers: bits === 8 ? Uint8Array.from(answers) : Uint16Array.from(answers),
      origins: Float64Array.from(steps, ({ origin }) => origin),
      steps: Float64Array.from(steps, ({ step }) => step),
      gains: Float32Array.from(value.filter(isInner)),
      set_numbers: narrow(Uint32Array.from(codeOffset.filter(isInner), (offset) => (offset < 0 ? 0 : offset / 8 + 1))),
      code_sets: codes,
      training_losses: Float32Array.from(history.train),
      validation_losses: Float32Array.from(history.validation),
    },
  });
}

/** @throws ModelFormatError saying what is wrong */
export function decodeCompactBoosting(bytes: Uint8Array): GradientBoosting {
  const refuse = (what: string): never => refuseModel('boosted model', what);
  const { header, sections } = decodePacked(bytes, 'boosted model', SECTIONS);
  const { features, train_rows: trainRows } = header;
  const loss = readLoss(header['loss']);
  if (header['model'] !== 'gradient_boosting' || !loss) return refuse('it says that it is another model');
  if (
    !Number.isInteger(features) ||
    !Number.isInteger(trainRows) ||
    (features as number) > MOST_COLUMNS ||
    (features as number) < 0
  )
    return refuse(`it says ${String(features)} columns and ${String(trainRows)} rows`);
  const nodes = unpackNodes(sections, features as number, refuse);
  const part = (name: (typeof SECTIONS)[number]): PackedNumbers => sections[name]!;
  const trees = nodes.treeOffsets.length - 1;
  const inner = nodes.feature.reduce((sum, column) => sum + (column < 0 ? 0 : 1), 0);
  const isFitting =
    trees % marginCount(loss) === 0 &&
    part('base_margins').length === marginCount(loss) &&
    part('origins').length === trees &&
    part('steps').length === trees &&
    part('answers').length === nodes.feature.length - inner &&
    part('gains').length === inner &&
    part('set_numbers').length === inner &&
    part('code_sets').length % 8 === 0;
  if (!isFitting) refuse('its sections do not have the sizes that its trees need');
  const value = new Float64Array(nodes.feature.length);
  const codeOffset = new Int32Array(nodes.feature.length).fill(-1);
  for (let tree = 0, leaf = 0, split = 0; tree < trees; tree++)
    for (let node = nodes.treeOffsets[tree]!; node < nodes.treeOffsets[tree + 1]!; node++) {
      const isLeaf = nodes.feature[node]! < 0;
      value[node] = isLeaf
        ? part('origins')[tree]! + part('answers')[leaf++]! * part('steps')[tree]!
        : part('gains')[split]!;
      if (isLeaf && !Number.isFinite(value[node])) refuse(`the leaf at node ${node} answers ${value[node]}`);
      if (isLeaf) continue;
      const set = part('set_numbers')[split++]!;
      if (8 * set > part('code_sets').length) refuse(`node ${node} has a set of codes that is not there`);
      if (set > 0) codeOffset[node] = 8 * (set - 1);
    }
  const baseMargins = Float64Array.from(part('base_margins'));
  if (!baseMargins.every(Number.isFinite)) refuse('a base margin is no number');
  return {
    loss,
    features: features as number,
    trainRows: trainRows as number,
    baseMargins,
    ...nodes,
    value,
    codeOffset,
    codes: Uint32Array.from(part('code_sets')),
    history: {
      train: Float64Array.from(part('training_losses')),
      validation: Float64Array.from(part('validation_losses')),
    },
    packed: bytes,
  };
}

function readLoss(stored: unknown): BoostingLoss | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { kind, classes, alpha } = stored as { kind?: unknown; classes?: unknown; alpha?: unknown };
  const known = LOSSES.find((one) => one === kind);
  if (known === undefined) return undefined;
  if (known === 'softmax')
    return Number.isInteger(classes) && (classes as number) >= 2 && (classes as number) <= 65_535
      ? { kind: known, classes: classes as number }
      : undefined;
  if (known === 'quantile')
    return typeof alpha === 'number' && alpha > 0 && alpha < 1 ? { kind: known, alpha } : undefined;
  return { kind: known };
}
