import type { FeatureMatrix } from '../matrix.js';
import type { Prng } from '../random/prng.js';
import { averagePathLength } from './average-path-length.js';

/** One tree of an isolation forest; `left[node]` is -1 for a leaf, its sibling is `left[node] + 1`. */
export interface IsolationTree {
  nodes: number;
  feature: Int32Array;
  threshold: Float64Array;
  left: Int32Array;
  missingLeft: Uint8Array;
  expected: Float64Array;
}

/**
 * Grows one tree by random cuts: a column at random among those that vary in the node, a cut drawn evenly between its least
 * and greatest value, until rows are alone, alike, or as deep as an average tree of so many rows.
 * @param rows row numbers; reordered in place
 */
export function growIsolationTree(x: FeatureMatrix, rows: Int32Array, prng: Prng): IsolationTree {
  const limit = Math.ceil(Math.log2(Math.max(2, rows.length)));
  const most = 2 * rows.length;
  const tree: IsolationTree = {
    nodes: 1,
    feature: new Int32Array(most).fill(-1),
    threshold: new Float64Array(most),
    left: new Int32Array(most).fill(-1),
    missingLeft: new Uint8Array(most),
    expected: new Float64Array(most),
  };
  const columns = Int32Array.from({ length: x.columns }, (_, column) => column);
  const starts = new Int32Array(most);
  const ends = new Int32Array(most);
  const depths = new Int32Array(most);
  ends[0] = rows.length;
  for (let node = 0; node < tree.nodes; node++) {
    const [start, end, depth] = [starts[node]!, ends[node]!, depths[node]!];
    tree.expected[node] = depth + averagePathLength(end - start);
    if (depth >= limit || end - start < 2) continue;
    const cut = drawCut(x, rows.subarray(start, end), columns, prng);
    if (!cut) continue;
    const middle = start + partition(x, rows.subarray(start, end), cut);
    const child = tree.nodes;
    tree.nodes += 2;
    tree.feature[node] = cut.column;
    tree.threshold[node] = cut.threshold;
    tree.missingLeft[node] = cut.missingLeft ? 1 : 0;
    tree.left[node] = child;
    [starts[child], ends[child], depths[child]] = [start, middle, depth + 1];
    [starts[child + 1], ends[child + 1], depths[child + 1]] = [middle, end, depth + 1];
  }
  setExpected(tree, starts, ends);
  return trim(tree);
}

/** A node's expected path length is the mean of its children's, weighted by their rows; children come after their parents. */
function setExpected(tree: IsolationTree, starts: Int32Array, ends: Int32Array): void {
  for (let node = tree.nodes - 1; node >= 0; node--) {
    const child = tree.left[node]!;
    if (child < 0) continue;
    const size = ends[node]! - starts[node]!;
    const share = (ends[child]! - starts[child]!) / size;
    tree.expected[node] = share * tree.expected[child]! + (1 - share) * tree.expected[child + 1]!;
  }
}

function trim(tree: IsolationTree): IsolationTree {
  const { nodes } = tree;
  return {
    nodes,
    feature: tree.feature.slice(0, nodes),
    threshold: tree.threshold.slice(0, nodes),
    left: tree.left.slice(0, nodes),
    missingLeft: tree.missingLeft.slice(0, nodes),
    expected: tree.expected.slice(0, nodes),
  };
}

interface Cut {
  column: number;
  threshold: number;
  missingLeft: boolean;
}

/** Tries columns in random order until one varies; undefined where none does. */
function drawCut(x: FeatureMatrix, rows: Int32Array, columns: Int32Array, prng: Prng): Cut | undefined {
  for (let tried = 0; tried < columns.length; tried++) {
    const at = tried + prng.nextInt(columns.length - tried);
    [columns[tried], columns[at]] = [columns[at]!, columns[tried]!];
    const column = columns[tried]!;
    let least = Infinity;
    let greatest = -Infinity;
    for (const row of rows) {
      const value = x.values[column * x.rows + row]!;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
    if (!(greatest > least)) continue;
    const u = prng.next();
    // Written so that the largest doubles do not overflow. Rows that equal the least value must stay left of the cut.
    const drawn = least * (1 - u) + greatest * u;
    const threshold = drawn > least && drawn <= greatest ? drawn : greatest;
    let below = 0;
    let atOrAbove = 0;
    for (const row of rows) {
      const value = x.values[column * x.rows + row]!;
      if (value < threshold) below++;
      else if (value >= threshold) atOrAbove++;
    }
    return { column, threshold, missingLeft: below >= atOrAbove };
  }
  return undefined;
}

/** Puts the rows that go left first. @returns how many they are */
function partition(x: FeatureMatrix, rows: Int32Array, cut: Cut): number {
  const at = cut.column * x.rows;
  let middle = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const value = x.values[at + row]!;
    if (Number.isNaN(value) ? !cut.missingLeft : !(value < cut.threshold)) continue;
    rows[i] = rows[middle]!;
    rows[middle++] = row;
  }
  return middle;
}
