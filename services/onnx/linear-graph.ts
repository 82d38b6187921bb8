import { levelOf, type CategoryFeature, type NumberFeature } from '../../ml/linear/design.js';
import type { LinearModel } from '../../ml/linear/fit-linear.js';
import { marginCount } from '../../ml/linear/linear-model.js';
import type { FeatureGraph } from './feature-graph.js';
import type { GraphBuilder, Name } from './graph-builder.js';

/** A linear or logistic model's answer. */
export function addLinear(graph: GraphBuilder, model: LinearModel, features: FeatureGraph): Name {
  const { design, coefficients, intercepts, task, logTarget } = model;
  const cells = design.features.flatMap((feature, column) =>
    feature.kind === 'number'
      ? addNumber(graph, feature, features.columns[column]!)
      : addLevels(graph, feature, column, features),
  );
  const margins = marginCount(model);
  // [column, margin]: the model has them the other way round.
  const matrix = new Float64Array(design.width * margins);
  for (let m = 0; m < margins; m++)
    for (let at = 0; at < design.width; at++) matrix[at * margins + m] = coefficients[m * design.width + at]!;
  const product = graph.node('MatMul', [graph.concat(cells), graph.doubles(matrix, [design.width, margins])]);
  const raw = graph.add(product, graph.doubles(intercepts, [1, margins]));
  if (task.kind === 'regression') {
    if (!logTarget) return raw;
    const scaled = graph.multiply(graph.exp(raw), graph.number(logTarget.factor));
    return graph.node('Max', [graph.subtract(scaled, graph.number(logTarget.offset)), graph.number(0)]);
  }
  if (task.classes === 1) return graph.sigmoid(graph.add(graph.multiply(raw, graph.number(0)), graph.number(1e9)));
  if (task.classes > 2) return graph.node('Softmax', [raw], { axis: 1 });
  return graph.concat([graph.sigmoid(graph.negate(raw)), graph.sigmoid(raw)]);
}

/** As `standardise` has it; missing is 0, and raises a column of its own where training rows lacked the number. */
function addNumber(graph: GraphBuilder, feature: NumberFeature, column: Name): Name[] {
  const isMissing = graph.isMissing(column);
  const known = graph.where(isMissing, graph.number(feature.mean), graph.clip(column, -1e100, 1e100));
  const read = feature.isLog
    ? graph.node('Log', [graph.add(graph.node('Max', [known, graph.number(0)]), graph.number(1))])
    : known;
  const scaled = graph.divide(
    graph.subtract(graph.clip(read, feature.low, feature.high), graph.number(feature.mean)),
    graph.number(feature.scale),
  );
  const cell = graph.where(isMissing, graph.number(0), scaled);
  return feature.width === 2 ? [cell, graph.toDouble(isMissing)] : [cell];
}

function addLevels(graph: GraphBuilder, feature: CategoryFeature, column: number, features: FeatureGraph): Name[] {
  if (feature.width === 0) return [];
  const count = features.codeCounts.get(column)!;
  const table = new Float64Array((count + 1) * feature.width);
  for (let number = 0; number <= count; number++) {
    const level = levelOf(feature, number === 0 ? NaN : number - 1);
    if (level >= 0) table[number * feature.width + level] = 1;
  }
  return [graph.lookUp(table, feature.width, features.codes.get(column)!)];
}
