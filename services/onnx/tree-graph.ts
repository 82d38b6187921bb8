import { marginCount } from '../../ml/ensemble/boosting-loss.js';
import { treeCount, type RandomForest } from '../../ml/ensemble/random-forest.js';
import type { GradientBoosting } from '../../ml/ensemble/gradient-boosting.js';
import { hasCode } from '../../ml/tree/code-set.js';
import type { FeatureGraph } from './feature-graph.js';
import { doubleTensor, type GraphBuilder, type Name } from './graph-builder.js';

/** Trees as both kinds of ensembles have them. */
interface Trees {
  treeOffsets: Int32Array;
  feature: Int32Array;
  threshold: Float64Array;
  left: Int32Array;
  missingLeft: Uint8Array;
}

interface Leaf {
  target: number;
  weight: number;
}

/** A forest's probabilities or value. */
export function addForest(graph: GraphBuilder, forest: RandomForest, { matrix }: FeatureGraph): Name {
  const trees = treeCount(forest);
  return addTrees(graph, matrix, forest, {
    targets: forest.outputs,
    base: new Float64Array(forest.outputs),
    leavesOf: (_, node) =>
      Array.from({ length: forest.outputs }, (__, target) => ({
        target,
        weight: forest.values[forest.valueOffset[node]! + target]! / trees,
      })),
  });
}

/**
 * A boosted model's answer. The format knows no sets of codes: each set that a node asks for becomes a column of its own, 0 for the codes
 * that go left, looked up by the code.
 */
export function addBoosting(graph: GraphBuilder, model: GradientBoosting, features: FeatureGraph): Name {
  const { loss, treeOffsets, codeOffset, baseMargins } = model;
  const margins = marginCount(loss);
  const { matrix, feature, threshold } = addCodeSets(graph, model, features);
  const treeOf = new Int32Array(codeOffset.length);
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) treeOf.fill(tree, treeOffsets[tree], treeOffsets[tree + 1]);
  const raw = addTrees(
    graph,
    matrix,
    { ...model, feature, threshold },
    {
      targets: margins,
      base: baseMargins,
      leavesOf: (tree, node) => [{ target: tree % margins, weight: model.value[node]! }],
    },
  );
  switch (loss.kind) {
    case 'logistic':
      return graph.concat([graph.sigmoid(graph.negate(raw)), graph.sigmoid(raw)]);
    case 'softmax':
      return graph.node('Softmax', [raw], { axis: 1 });
    case 'poisson':
      return graph.exp(raw);
    case 'squared':
    case 'quantile':
      return raw;
  }
}

function addCodeSets(graph: GraphBuilder, model: GradientBoosting, features: FeatureGraph) {
  const { codeOffset, codes, missingLeft } = model;
  const feature = model.feature.slice();
  const threshold = model.threshold.slice();
  const added: Name[] = [];
  let width = features.columns.length;
  for (const [column, numbers] of features.codes) {
    const count = features.codeCounts.get(column)!;
    const sets: Uint8Array[] = [];
    const known = new Map<string, number>();
    for (let node = 0; node < codeOffset.length; node++) {
      if (codeOffset[node]! < 0 || model.feature[node] !== column) continue;
      const isRight = Uint8Array.from({ length: count + 1 }, (_, number) =>
        number === 0 ? 1 - missingLeft[node]! : hasCode(codes, codeOffset[node]!, number - 1) ? 0 : 1,
      );
      const key = isRight.join('');
      if (!known.has(key)) known.set(key, sets.push(isRight) - 1);
      feature[node] = width + known.get(key)!;
      threshold[node] = 0.5;
    }
    if (sets.length === 0) continue;
    const table = new Float64Array((count + 1) * sets.length);
    sets.forEach((set, at) => set.forEach((right, number) => (table[number * sets.length + at] = right)));
    added.push(graph.lookUp(table, sets.length, numbers));
    width += sets.length;
  }
  return { matrix: graph.concat([features.matrix, ...added]), feature, threshold };
}

/** `[rows, targets]`: the sums of the leaves' weights, added up in double precision. */
function addTrees(
  graph: GraphBuilder,
  matrix: Name,
  { treeOffsets, feature, threshold, left, missingLeft }: Trees,
  of: { targets: number; base: Float64Array; leavesOf: (tree: number, node: number) => Leaf[] },
): Name {
  const nodes = feature.length;
  const ids = { tree: new Array<number>(nodes), node: new Array<number>(nodes) };
  const modes = new Array<string>(nodes);
  const branch = { yes: new Array<number>(nodes).fill(0), no: new Array<number>(nodes).fill(0) };
  const columns = new Array<number>(nodes).fill(0);
  const values = new Float64Array(nodes);
  const weights: number[] = [];
  const target = { tree: [] as number[], node: [] as number[], id: [] as number[] };
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const first = treeOffsets[tree]!;
    for (let node = first; node < treeOffsets[tree + 1]!; node++) {
      ids.tree[node] = tree;
      ids.node[node] = node - first;
      if (feature[node]! < 0) {
        modes[node] = 'LEAF';
        for (const leaf of of.leavesOf(tree, node)) {
          target.tree.push(tree);
          target.node.push(node - first);
          target.id.push(leaf.target);
          weights.push(leaf.weight);
        }
        continue;
      }
      modes[node] = 'BRANCH_LEQ';
      columns[node] = feature[node]!;
      values[node] = threshold[node]!;
      branch.yes[node] = left[node]! - first;
      branch.no[node] = left[node]! + 1 - first;
    }
  }
  const sums = graph.ml('TreeEnsembleRegressor', [matrix], {
    n_targets: of.targets,
    nodes_treeids: ids.tree,
    nodes_nodeids: ids.node,
    nodes_modes: modes,
    nodes_featureids: columns,
    nodes_values_as_tensor: doubleTensor(values, [nodes]),
    nodes_truenodeids: branch.yes,
    nodes_falsenodeids: branch.no,
    nodes_missing_value_tracks_true: Array.from(missingLeft),
    target_treeids: target.tree,
    target_nodeids: target.node,
    target_ids: target.id,
    target_weights_as_tensor: doubleTensor(weights, [weights.length]),
  });
  // The sums come out in single precision; added to them here, large bases cost no digits.
  return graph.add(graph.toDouble(sums), graph.doubles(of.base, [1, of.targets]));
}
