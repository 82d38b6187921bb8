import type { Optimize } from '../../../core/schemas/optimize.js';
import { encodeCompactBoosting } from '../../../ml/compact/compact-boosting.js';
import { encodeCompactForest } from '../../../ml/compact/compact-forest.js';
import { encodeCompactNetwork, pruneNetwork } from '../../../ml/compact/compact-network.js';
import type { Bits } from '../../../ml/compact/packed-nodes.js';
import { decodeBoosting, encodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { roundCount, truncateBoosting } from '../../../ml/ensemble/boosting-model.js';
import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import { truncateForest } from '../../../ml/ensemble/forest-trees.js';
import { treeCount } from '../../../ml/ensemble/forest.js';
import { decodeNetwork, encodeNetwork } from '../../../ml/neural/network-format.js';
import type { TabularNetwork } from '../../../ml/neural/tabular-network.js';
import { encodeParts, readParts, type HeadAlgorithm } from './head-model.js';

const keptOf = (count: number, { prune = 0 }: Optimize): number => Math.max(1, Math.ceil(count * (1 - prune)));

/**
 * The variant of an encoded model that `optimize` asks for, encoded; undefined where there is nothing to make smaller. Of a blend each part
 * has its own.
 */
export function optimizeHead(algorithm: HeadAlgorithm, bytes: Uint8Array, optimize: Optimize): Uint8Array | undefined {
  const bits: Bits | undefined = optimize.quantize && (optimize.quantize === 'int8' ? 8 : 16);
  switch (algorithm) {
    case 'random_forest': {
      const full = decodeForest(bytes);
      const forest = truncateForest(full, keptOf(treeCount(full), optimize));
      return bits ? encodeCompactForest(forest, bits) : encodeForest(forest);
    }
    case 'gradient_boosting': {
      const full = decodeBoosting(bytes);
      const model = truncateBoosting(full, keptOf(roundCount(full), optimize));
      return bits ? encodeCompactBoosting(model, bits) : encodeBoosting(model);
    }
    case 'neural_network': {
      const full = decodeNetwork(bytes) as TabularNetwork;
      const network = optimize.prune ? pruneNetwork(full, optimize.prune) : full;
      return bits ? encodeCompactNetwork(network, bits) : encodeNetwork(network);
    }
    case 'blend':
      return encodeParts(
        readParts(bytes).map((part) => ({
          ...part,
          bytes: optimizeHead(part.algorithm, part.bytes, optimize) ?? part.bytes,
        })),
      );
    case 'linear':
      return undefined;
  }
}
