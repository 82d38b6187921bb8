import { ServiceError } from '../../core/errors.js';
import { decodeBoosting } from '../../ml/ensemble/boosting-format.js';
import { decodeForest } from '../../ml/ensemble/forest-format.js';
import { decodeNetwork } from '../../ml/neural/network-format.js';
import type { TabularNetwork } from '../../ml/neural/tabular-network.js';
import { decodeFile, type ModelBundle } from '../artifacts/model-bundle.js';
import type { StoredHead, TabularBody } from '../kinds/tabular/fit-model.js';
import { decodeLinear, readParts, type HeadAlgorithm } from '../kinds/tabular/head-model.js';
import { releaseVersion } from '../release-version.js';
import { addAnswer } from './answer-graph.js';
import { addFeatures, type FeatureGraph } from './feature-graph.js';
import { GraphBuilder, type Name } from './graph-builder.js';
import { addLinear } from './linear-graph.js';
import { addNetwork } from './network-graph.js';
import { addBoosting, addForest } from './tree-graph.js';

const TABULAR = ['classification', 'regression', 'user_behavior', 'project_success'];

/** Why a version has no ONNX form, or nothing. */
function describeObstacle({ manifest }: ModelBundle): string | undefined {
  if (!TABULAR.includes(manifest.kind))
    return `a model of the kind ${manifest.kind} answers from histories or lists, not from one row of features`;
  const { encoder, heads } = manifest.body as TabularBody;
  if (!encoder) return 'it was imported, so that its own file is all there is';
  const text = encoder.features.find(({ type }) => type === 'text');
  if (text) return `the feature ${text.name} is free text, which ONNX cannot take apart; exclude it and train again`;
  const twin = encoder.features.find(({ name }) =>
    heads.some((head) => [head.name, `${head.name}.probabilities`, `${head.name}.interval`].includes(name)),
  );
  if (twin) return `the feature ${twin.name} has the name of an answer; rename the column and train again`;
  const told = heads.find(({ sequence }) => sequence);
  return told && `the head ${told.name} is also told from what the entity did last, which is no feature`;
}

/**
 * A version as one ONNX file: encoder, models, calibration and decision, so that another runtime gives the same answers within 1e-5.
 * @throws ServiceError `export_unsupported` with the reason; `artifact_corrupt`
 */
export function exportOnnx(bundle: ModelBundle, version: string): Uint8Array {
  const { manifest } = bundle;
  const obstacle = describeObstacle(bundle);
  if (obstacle)
    throw new ServiceError('export_unsupported', `${manifest.model} ${version} has no ONNX form: ${obstacle}.`);
  const { encoder, heads } = manifest.body as TabularBody;
  const graph = new GraphBuilder();
  const features = addFeatures(graph, encoder);
  const networks = new Map<string, Name[]>();
  for (const head of heads) {
    const raw =
      head.algorithm === 'neural_network'
        ? networkOf(bundle, head, graph, features, networks)[head.index ?? 0]!
        : decodeFile(bundle, head.file, (bytes) => addModel(graph, head.algorithm, bytes, features));
    addAnswer(graph, head, raw);
  }
  const about = {
    name: manifest.model,
    producer: 'ml-pipeline-service',
    version: releaseVersion(),
    doc: `${manifest.model} ${version}, ${manifest.algorithm}`,
  };
  return graph.encode(about, {
    model: manifest.model,
    version,
    digest: bundle.digest,
    signature: JSON.stringify(manifest.signature),
    heads: JSON.stringify(manifest.heads),
  });
}

/** All heads of a network come from one pass through it. */
function networkOf(
  bundle: ModelBundle,
  { file }: StoredHead,
  graph: GraphBuilder,
  features: FeatureGraph,
  networks: Map<string, Name[]>,
): Name[] {
  const known = networks.get(file);
  if (known) return known;
  const added = decodeFile(bundle, file, (bytes) =>
    addNetwork(graph, decodeNetwork(bytes) as TabularNetwork, features),
  );
  networks.set(file, added);
  return added;
}

function addModel(graph: GraphBuilder, algorithm: HeadAlgorithm, bytes: Uint8Array, features: FeatureGraph): Name {
  switch (algorithm) {
    case 'random_forest':
      return addForest(graph, decodeForest(bytes), features);
    case 'gradient_boosting':
      return addBoosting(graph, decodeBoosting(bytes), features);
    case 'linear':
      return addLinear(graph, decodeLinear(bytes), features);
    case 'blend':
      return readParts(bytes)
        .map((part) => graph.multiply(addModel(graph, part.algorithm, part.bytes, features), graph.number(part.weight)))
        .reduce((sum, part) => graph.add(sum, part));
    case 'neural_network':
      throw new RangeError('a network is no part of a blend');
  }
}
