import { headOutputs, headScores, layOutTabular, type TabularNetwork } from '../../ml/neural/tabular-network.js';
import { findBlock, weightsOf } from '../../ml/neural/weight-layout.js';
import type { FeatureGraph } from './feature-graph.js';
import type { GraphBuilder, Name } from './graph-builder.js';

/** Beyond this a scaled number is at its bound within rounding. */
const LARGEST_SCALED = 1e9;

/** The answers of a network, one a head, in their order. */
export function addNetwork(graph: GraphBuilder, network: TabularNetwork, features: FeatureGraph): Name[] {
  const { description, weights } = network;
  const layout = layOutTabular(description);
  const matrixOf = (name: string): Name => {
    const { rows, columns } = findBlock(layout, name);
    return graph.doubles(weightsOf(weights, layout, name), [rows, columns]);
  };
  const inputs = addInputs(graph, network, features);
  let values = inputs;
  description.hidden.forEach((_, layer) => {
    const sum = graph.add(
      graph.node('MatMul', [values, matrixOf(`hidden.${layer}`)]),
      matrixOf(`hidden.${layer}.bias`),
    );
    // Written as a product with a sigmoid, onnxruntime would put an operator in its place that it lacks for doubles.
    values = graph.divide(sum, graph.add(graph.exp(graph.negate(sum)), graph.number(1)));
  });
  let scores = graph.add(graph.node('MatMul', [values, matrixOf('output')]), matrixOf('output.bias'));
  if (description.isWide) scores = graph.add(scores, graph.node('MatMul', [inputs, matrixOf('wide')]));
  let at = 0;
  return description.heads.map((head, index) => {
    const own = graph.columns(
      scores,
      Array.from({ length: headScores(head) }, (_, score) => at + score),
    );
    at += headScores(head);
    if (head.kind === 'multiclass') return graph.node('Softmax', [own], { axis: 1 });
    if (head.kind === 'binary') return graph.concat([graph.sigmoid(graph.negate(own)), graph.sigmoid(own)]);
    if (head.kind === 'regression')
      return graph.add(graph.multiply(own, graph.number(head.scale)), graph.number(head.centre));
    return addOrdered(graph, own, weightsOf(weights, layout, `head.${index}.thresholds`), headOutputs(head));
  });
}

/** Scaled and bent numbers with their flags, then what stands for the categories; in this order, as the weights are. */
function addInputs(graph: GraphBuilder, { description, weights }: TabularNetwork, features: FeatureGraph): Name {
  const { columns, bound } = description;
  const layout = layOutTabular(description);
  const dense: Name[] = [];
  const embedded: Name[] = [];
  columns.forEach((column, at) => {
    if (column.kind === 'category') {
      const table = weightsOf(weights, layout, `embedding.${embedded.length}`);
      embedded.push(graph.lookUp(table, column.width, features.codes.get(at)!));
      return;
    }
    const value = features.columns[at]!;
    const isMissing = graph.isMissing(value);
    const known = graph.where(isMissing, graph.number(column.centre), value);
    const scaled = graph.clip(
      graph.multiply(graph.subtract(known, graph.number(column.centre)), graph.number(column.inverseScale)),
      -LARGEST_SCALED,
      LARGEST_SCALED,
    );
    const share = graph.divide(scaled, graph.number(bound));
    const length = graph.node('Sqrt', [graph.add(graph.multiply(share, share), graph.number(1))]);
    dense.push(graph.divide(scaled, length));
    if (column.hasMissing) dense.push(graph.toDouble(isMissing));
  });
  return graph.concat([...dense, ...embedded]);
}

/** See `answerHead`: the first threshold, then the logarithm of each step to the next. */
function addOrdered(graph: GraphBuilder, score: Name, thresholds: Float32Array, classes: number): Name {
  const places: number[] = [];
  thresholds.forEach((value, k) => places.push(k === 0 ? value : places[k - 1]! + Math.exp(value)));
  const above = graph.sigmoid(graph.subtract(score, graph.doubles(places, [1, places.length])));
  const from = Array.from({ length: classes - 1 }, (_, k) => k);
  const one = graph.add(graph.multiply(graph.columns(above, [0]), graph.number(0)), graph.number(1));
  const before = graph.concat([one, ...from.slice(1).map((k) => graph.columns(above, [k - 1]))]);
  const inner = graph.node('Max', [graph.subtract(before, above), graph.number(0)]);
  return graph.concat([inner, graph.columns(above, [classes - 2])]);
}
