import { layOutTabular, type TabularDescription, type TabularNetwork } from '../neural/tabular-network.js';
import { decodePacked, encodePacked, type PackedNumbers } from './packed-file.js';
import type { Bits } from './packed-nodes.js';

/**
 * Writes a network in 8 or 16 bits a weight: each column of a matrix, all that reaches one unit, has a scale of its own, so that no unit is coarse
 * because of another. Biases and thresholds are kept as they are. `decodeNetwork` reads it.
 */
export function encodeCompactNetwork({ description, weights }: TabularNetwork, bits: Bits): Uint8Array {
  const most = 2 ** (bits - 1) - 1;
  const codes: number[] = [];
  const scales: number[] = [];
  const plain: number[] = [];
  for (const { rows, columns, offset, isDecayed } of layOutTabular(description).blocks) {
    const matrix = weights.subarray(offset, offset + rows * columns);
    if (!isDecayed) {
      plain.push(...matrix);
      continue;
    }
    const own = Array.from({ length: columns }, (_, column) => {
      let largest = 0;
      for (let at = column; at < matrix.length; at += columns) largest = Math.max(largest, Math.abs(matrix[at]!));
      return Math.fround(largest / most);
    });
    scales.push(...own);
    matrix.forEach((weight, at) => {
      const scale = own[at % columns]!;
      codes.push(scale > 0 ? Math.max(-most, Math.min(most, Math.round(weight / scale))) : 0);
    });
  }
  return encodePacked({
    header: { model: 'tabular_network', description, bits },
    sections: {
      codes: bits === 8 ? Int8Array.from(codes) : Int16Array.from(codes),
      scales: Float32Array.from(scales),
      plain: Float32Array.from(plain),
    },
  });
}

/**
 * @param describeProblem says what makes a description one that no network can have, or nothing
 * @throws ModelFormatError saying what is wrong
 */
export function decodeCompactNetwork(
  bytes: Uint8Array,
  describeProblem: (description: TabularDescription) => string | undefined,
  refuse: (what: string) => never,
): TabularNetwork {
  const { header, sections } = decodePacked(bytes, 'network', ['codes', 'scales', 'plain']);
  const description = header['description'] as TabularDescription | null | undefined;
  if (header['model'] !== 'tabular_network' || description?.kind !== 'tabular')
    return refuse('it says that it is another model');
  const problem = describeProblem(description);
  if (problem !== undefined) return refuse(problem);
  const { blocks, size } = layOutTabular(description);
  const [codes, scales, plain] = [sections['codes']!, sections['scales']!, sections['plain']!] as const;
  const sum = (of: (block: (typeof blocks)[number]) => number) => blocks.reduce((total, block) => total + of(block), 0);
  const isFitting =
    codes.length === sum(({ isDecayed, rows, columns }) => (isDecayed ? rows * columns : 0)) &&
    scales.length === sum(({ isDecayed, columns }) => (isDecayed ? columns : 0)) &&
    plain.length === sum(({ isDecayed, rows, columns }) => (isDecayed ? 0 : rows * columns));
  if (!isFitting) refuse('its sections do not have the sizes that its description needs');
  const weights = new Float32Array(size);
  let [code, scale, own] = [0, 0, 0];
  for (const { rows, columns, offset, isDecayed } of blocks) {
    for (let at = 0; at < rows * columns; at++)
      weights[offset + at] = isDecayed ? codes[code++]! * scaleOf(scales, scale + (at % columns)) : plain[own++]!;
    if (isDecayed) scale += columns;
  }
  const wrong = weights.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) refuse(`its number ${wrong} is ${weights[wrong]}`);
  return { description, weights, packed: bytes };
}

const scaleOf = (scales: PackedNumbers, at: number): number => scales[at]!;

/**
 * Leaves out the share of each hidden layer's units that carry least: the product of the lengths of what reaches a unit and of what it
 * reaches. What remains is a smaller network.
 * @param share from 0 to below 1; a layer keeps one unit at least
 */
export function pruneNetwork(network: TabularNetwork, share: number): TabularNetwork {
  const { description, weights } = network;
  const layout = layOutTabular(description);
  const blockOf = (name: string) => layout.blocks.find((block) => block.name === name)!;
  const length = (values: number[]) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
  const kept = description.hidden.map((units, layer) => {
    const into = blockOf(`hidden.${layer}`);
    const from = blockOf(layer + 1 < description.hidden.length ? `hidden.${layer + 1}` : 'output');
    const norms = Array.from({ length: units }, (_, unit) => {
      const reaches = Array.from({ length: into.rows }, (__, i) => weights[into.offset + i * units + unit]!);
      const reached = [...weights.subarray(from.offset + unit * from.columns, from.offset + (unit + 1) * from.columns)];
      return length(reaches) * length(reached);
    });
    const count = Math.max(1, Math.ceil(units * (1 - share)));
    return [...norms.keys()]
      .sort((a, b) => norms[b]! - norms[a]! || a - b)
      .slice(0, count)
      .sort((a, b) => a - b);
  });
  const smaller = { ...description, hidden: kept.map((units) => units.length) };
  const result = new Float32Array(layOutTabular(smaller).size);
  for (const { name, rows, columns, offset } of layOutTabular(smaller).blocks) {
    const source = blockOf(name);
    const [, layer, part] = /^hidden\.(\d+)(\.bias)?$/.exec(name) ?? [];
    const last = description.hidden.length - 1;
    const keptRows = part
      ? undefined
      : layer === undefined
        ? name === 'output'
          ? kept[last]
          : undefined
        : kept[Number(layer) - 1];
    const keptColumns = layer === undefined ? undefined : kept[Number(layer)];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        result[offset + row * columns + column] =
          weights[source.offset + (keptRows?.[row] ?? row) * source.columns + (keptColumns?.[column] ?? column)]!;
  }
  return { description: smaller, weights: result };
}
