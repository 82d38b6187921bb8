import { categoryColumns, denseWidth, inputWidth } from './tabular-input.js';
import type { TabularColumn } from './tabular-input.js';
import { layOutWeights } from './weight-layout.js';
import type { WeightLayout, WeightShape } from './weight-layout.js';

/** One thing that a network answers; plain JSON. */
export type TabularHead =
  | { name: string; kind: 'binary' }
  | { name: string; kind: 'multiclass'; classes: number }
  /** Classes that follow one another, such as low, medium, high: one score and a rising threshold between each two. */
  | { name: string; kind: 'ordered'; classes: number }
  /** A number: `centre + scale * output`. */
  | { name: string; kind: 'regression'; centre: number; scale: number };

/** What a network looks like; plain JSON. The sizes of all weights follow from it. */
export interface TabularDescription {
  kind: 'tabular';
  columns: TabularColumn[];
  /** Scaled numbers are bent to stay within ±`bound`. */
  bound: number;
  /** Widths of the hidden layers, each followed by SiLU, `x * sigmoid(x)`. */
  hidden: number[];
  /** The inputs also reach the heads directly ("wide and deep"), so that what is linear need not be learnt twice. */
  isWide: boolean;
  heads: TabularHead[];
}

/** A trained network: numbers and their description, nothing of TensorFlow. */
export interface TabularNetwork {
  readonly description: TabularDescription;
  /** Laid out as `layOutTabular(description)` says. */
  readonly weights: Float32Array;
  /** The file that a network with quantised weights came from: it is written as it was read. */
  readonly packed?: Uint8Array;
}

/** Scores that the last layer has for a head. */
export function headScores(head: TabularHead): number {
  return head.kind === 'multiclass' ? head.classes : 1;
}

/** Numbers that a prediction has for a head: a probability a class, or one number. */
export function headOutputs(head: TabularHead): number {
  if (head.kind === 'binary') return 2;
  return head.kind === 'regression' ? 1 : head.classes;
}

/** Numbers of one prediction: those of all heads, in order. */
export function tabularOutputs(description: TabularDescription): number {
  return description.heads.reduce((sum, head) => sum + headOutputs(head), 0);
}

/** Scores of the last layer: those of all heads, in order. */
export function tabularScores(description: TabularDescription): number {
  return description.heads.reduce((sum, head) => sum + headScores(head), 0);
}

/** Where each matrix lies in the weights. */
export function layOutTabular(description: TabularDescription): WeightLayout {
  const { columns, hidden, isWide, heads } = description;
  const shapes: WeightShape[] = categoryColumns(columns).map(({ categories, width }, i) => [
    `embedding.${i}`,
    categories + 1,
    width,
  ]);
  const inputs = inputWidth(columns);
  const scores = tabularScores(description);
  let width = inputs;
  hidden.forEach((units, i) => {
    shapes.push([`hidden.${i}`, width, units], [`hidden.${i}.bias`, 1, units]);
    width = units;
  });
  shapes.push(['output', width, scores], ['output.bias', 1, scores]);
  if (isWide) shapes.push(['wide', inputs, scores]);
  heads.forEach((head, i) => {
    if (head.kind === 'ordered') shapes.push([`head.${i}.thresholds`, 1, head.classes - 1]);
  });
  return layOutWeights(shapes);
}

const MOST_UNITS = 65_536;
const MOST_LAYERS = 32;

/**
 * Says what makes a description one that no network can have, or nothing. For files, which are not trusted.
 */
export function describeTabularProblem(description: TabularDescription): string | undefined {
  const isCount = (value: unknown, least: number): boolean =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= MOST_UNITS;
  const { columns, bound, hidden, isWide, heads } = description;
  if (!Array.isArray(columns) || columns.length === 0) return 'it has no columns';
  if (!columns.every(isColumn)) return 'it has a column of no known kind or size';
  if (!Number.isFinite(bound) || bound <= 0) return `it bends numbers at ${bound}`;
  if (!Array.isArray(hidden) || hidden.length > MOST_LAYERS || !hidden.every((units) => isCount(units, 1)))
    return 'its hidden layers have no possible widths';
  if (typeof isWide !== 'boolean') return 'it does not say whether it is wide';
  if (!Array.isArray(heads) || heads.length === 0) return 'it has no heads';
  return heads.every(isHead) ? undefined : 'it has a head of no known kind or size';

  function isColumn(column: TabularColumn): boolean {
    if (column?.kind === 'category') return isCount(column.categories, 1) && isCount(column.width, 1);
    return (
      column?.kind === 'number' &&
      Number.isFinite(column.centre) &&
      Number.isFinite(column.inverseScale) &&
      typeof column.hasMissing === 'boolean'
    );
  }

  function isHead(head: TabularHead): boolean {
    if (typeof head?.name !== 'string') return false;
    if (head.kind === 'binary') return true;
    if (head.kind === 'regression') return Number.isFinite(head.centre) && Number.isFinite(head.scale);
    if (head.kind === 'multiclass') return isCount(head.classes, 1);
    return head.kind === 'ordered' && isCount(head.classes, 2);
  }
}

/** Room for one prediction, reused from row to row. */
export interface TabularSizes {
  dense: number;
  inputs: number;
  scores: number;
  outputs: number;
}

export function measureTabular(description: TabularDescription): TabularSizes {
  return {
    dense: denseWidth(description.columns),
    inputs: inputWidth(description.columns),
    scores: tabularScores(description),
    outputs: tabularOutputs(description),
  };
}
