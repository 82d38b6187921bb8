import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { HeadOutput } from '../../core/kinds/heads.js';
import { applyCalibration } from '../../ml/calibrate/calibration.js';
import { predictForestRow } from '../../ml/ensemble/random-forest.js';
import { explainForestRow, rescaleContributions } from '../../ml/explain/tree-shap.js';
import { encodeRow } from '../../ml/preprocess/table-encoder.js';
import type { BundleHead, ModelBundle } from '../artifacts/model-bundle.js';

export type FeatureValues = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface HeadExplanation {
  /** The answer without any feature. With the contributions it adds up to `output`. */
  base_value: number;
  output: number;
  contributions: { feature: string; value: string | number | boolean | null; contribution: number }[];
}

/** A loaded model, ready to answer; one buffer a model, so that a prediction allocates little. */
export interface Scorer {
  readonly bundle: ModelBundle;
  /** @throws ServiceError `request_invalid` with `features.<name>` for each value that does not fit. */
  score(features: FeatureValues): HeadOutput[];
  explain(features: FeatureValues): Record<string, HeadExplanation>;
  /** What the caller should know about the features: values that count as not known, or nothing to go by at all. */
  warnings(features: FeatureValues): FieldProblem[];
}

export function createScorer(bundle: ModelBundle): Scorer {
  const { encoder, heads } = bundle.manifest;
  const row = new Float64Array(encoder.columns.length);
  const buffers = new Map(heads.map((head) => [head.name, new Float64Array(Math.max(1, head.classes.length))]));
  const names = encoder.features.map((feature) => feature.name);
  const knownCategories = new Map(
    encoder.features.flatMap(({ name, categories }) =>
      categories ? [[name, new Set(categories.map((category) => category.value))] as const] : [],
    ),
  );
  const encode = (features: FeatureValues) => {
    const problems = encodeRow(encoder, features, row);
    if (problems.length > 0) throw invalidFeatures(problems, bundle);
  };
  return {
    bundle,
    score(features) {
      encode(features);
      return heads.map((head) => readHead(head, calibrated(head, bundle, row, buffers.get(head.name)!)));
    },
    explain(features) {
      encode(features);
      return Object.fromEntries(heads.map((head) => [head.name, explainHead(head, bundle, row, features)]));
    },
    warnings: (features) => describeGaps(features, knownCategories, names),
  };
}

function describeGaps(
  features: FeatureValues,
  knownCategories: ReadonlyMap<string, ReadonlySet<string>>,
  names: readonly string[],
): FieldProblem[] {
  const isGiven = (name: string) =>
    Object.hasOwn(features, name) && features[name] !== null && features[name] !== undefined;
  if (!names.some(isGiven)) {
    return [
      {
        path: 'features',
        message: 'no feature of the model was given, so the answer rests on nothing about this entity',
      },
    ];
  }
  const warnings: FieldProblem[] = [];
  for (const [name, known] of knownCategories) {
    if (!isGiven(name) || known.has(String(features[name]).trim())) continue;
    const examples = [...known].slice(0, 8).join(', ');
    warnings.push({
      path: `features.${name}`,
      message: `${JSON.stringify(features[name])} did not occur in training and counts as not known; known: ${examples}${known.size > 8 ? ', …' : ''}`,
    });
  }
  return warnings;
}

function invalidFeatures(problems: readonly FieldProblem[], bundle: ModelBundle): ServiceError {
  const known = bundle.manifest.signature.map((feature) => feature.name).join(', ');
  return new ServiceError(
    'request_invalid',
    `${problems.length} feature${problems.length === 1 ? ' does' : 's do'} not fit the model. Its features: ${known}.`,
    problems,
  );
}

function calibrated(head: BundleHead, bundle: ModelBundle, row: Float64Array, out: Float64Array): Float64Array {
  predictForestRow(bundle.forests.get(head.name)!, row, out);
  if (head.calibration) applyCalibration(head.calibration, out, out);
  return out;
}

function readHead(head: BundleHead, out: Float64Array): HeadOutput {
  if (head.task === 'regression') {
    const value = out[0]!;
    const { level, halfWidth } = head.interval ?? { level: 0, halfWidth: 0 };
    return {
      head: head.name,
      task: 'regression',
      value,
      interval: { lower: value - halfWidth, upper: value + halfWidth, level },
    };
  }
  return { head: head.name, task: head.task, classes: head.classes, probabilities: [...out] };
}

/** Shapley values of the output that the head answers with: the largest class, or the number. */
function explainHead(
  head: BundleHead,
  bundle: ModelBundle,
  row: Float64Array,
  features: FeatureValues,
): HeadExplanation {
  const forest = bundle.forests.get(head.name)!;
  const raw = new Float64Array(Math.max(1, head.classes.length));
  predictForestRow(forest, row, raw);
  const final = calibrated(head, bundle, row, new Float64Array(raw.length));
  const explained = explainForestRow(forest, row);
  const output = head.task === 'binary' ? 1 : head.task === 'multiclass' ? final.indexOf(Math.max(...final)) : 0;
  const base = new Float64Array(explained.base);
  if (head.calibration) applyCalibration(head.calibration, base, base);
  const rawContributions = explained.contributions.slice(output * row.length, (output + 1) * row.length);
  const linked = rescaleContributions(explained.base[output]!, raw[output]!, rawContributions, (value) =>
    value === raw[output] ? final[output]! : base[output]!,
  );
  return {
    // Taken from the sum, so that base and contributions add up to the answer whatever the calibration did.
    base_value: final[output]! - linked.contributions.reduce((sum, value) => sum + value, 0),
    output: final[output]!,
    contributions: byFeature(bundle, linked.contributions, features),
  };
}

/** Several encoded columns can stem from one feature; the caller thinks in features. Largest effect first. */
function byFeature(
  bundle: ModelBundle,
  contributions: Float64Array,
  features: FeatureValues,
): HeadExplanation['contributions'] {
  const totals = new Map<string, number>();
  for (const { name, start, width } of bundle.manifest.encoder.features) {
    totals.set(
      name,
      contributions.subarray(start, start + width).reduce((sum, value) => sum + value, 0),
    );
  }
  return [...totals]
    .map(([feature, contribution]) => ({
      feature,
      value: (Object.hasOwn(features, feature) ? features[feature] : null) ?? null,
      contribution,
    }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
}
