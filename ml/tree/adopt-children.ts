/** Nodes of several trees, one tree after the other; the right child of a node follows its left one. */
interface StoredNodes {
  readonly treeOffsets: Int32Array;
  /** -1 for a leaf. */
  readonly feature: Int32Array;
  /** Left children counted from the tree's first node. */
  readonly left: Int32Array;
}

/**
 * Turns the children of stored trees into node numbers of the whole model, -1 for leaves. Every node but a root must be the child
 * of exactly one earlier node of its tree, so that no walk can go in circles.
 * @param refuse is told what is wrong, and does not return
 */
export function adoptChildren({ treeOffsets, feature, left }: StoredNodes, refuse: (what: string) => never): void {
  const hasParent = new Uint8Array(feature.length);
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const root = treeOffsets[tree]!;
    const end = treeOffsets[tree + 1]!;
    for (let node = root; node < end; node++) {
      if (node > root && hasParent[node] === 0) refuse(`node ${node} belongs to no other node`);
      if (feature[node]! < 0) {
        left[node] = -1;
        continue;
      }
      // Unsigned in the file: a number above 2^31 has become negative here.
      const child = root + left[node]!;
      if (!(child > node && child + 1 < end))
        refuse(`node ${node} has the child ${child}, outside of ${node + 1} to ${end - 2}`);
      if (hasParent[child] === 1 || hasParent[child + 1] === 1) refuse(`node ${child} is the child of two nodes`);
      hasParent[child] = 1;
      hasParent[child + 1] = 1;
      left[node] = child;
    }
  }
}
