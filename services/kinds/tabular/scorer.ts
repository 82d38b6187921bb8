import type { FieldProblem } from '../../../core/errors.js';
import { shapePrediction } from '../../../core/kinds/heads.js';
import { shapeProjectSuccess, type ProjectSettings } from '../../../core/kinds/project-success.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { rescaleContributions } from '../../../ml/explain/tree-shap.js';
import { encodeRow, type TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { decodeFile, type ModelBundle } from '../../artifacts/model-bundle.js';
import { invalidFeatures } from '../../serving/invalid-features.js';
import type { HeadExplanation, Scorer } from '../../serving/scorer.js';
import type { StoredHead, TabularBody } from './fit-model.js';
import { createBatchScorer } from './batch-scorer.js';
import { decodeHead, type HeadModel } from './head-model.js';
import { finish, readHead } from './head-answer.js';
import { activitiesOf, loadSequence, mixInSequence, type SequenceHead, type StoredSequence } from './sequence-head.js';

type FeatureValues = ScoreInput['features'];

/** One head with its model and a buffer for its answer, so that a prediction allocates little. */
export interface LoadedHead {
  stored: StoredHead;
  model: HeadModel;
  sequence?: SequenceHead;
  buffer: Float64Array;
}

/** Answers from one row of features: everything that learns from a table. */
export function createTabularScorer(bundle: ModelBundle): Scorer {
  const { kind } = bundle.manifest;
  const body = bundle.manifest.body as TabularBody;
  const { encoder } = body;
  const row = new Float64Array(encoder.columns.length);
  const heads = body.heads.map((stored): LoadedHead => ({
    stored,
    model: decodeFile(bundle, stored.file, (bytes) => decodeHead(stored.algorithm, bytes, stored.index)),
    ...(stored.sequence
      ? { sequence: loadSequence(stored.sequence, (file, decode) => decodeFile(bundle, file, decode)) }
      : {}),
    buffer: new Float64Array(Math.max(1, stored.classes.length)),
  }));
  const names = encoder.features.map((feature) => feature.name);
  const signature = bundle.manifest.signature.map((feature) => feature.name);
  const knownCategories = new Map(
    encoder.features.flatMap(({ name, categories }) =>
      categories ? [[name, new Set(categories.map((category) => category.value))] as const] : [],
    ),
  );
  const encode = (features: FeatureValues) => {
    const problems = encodeRow(encoder, features, row);
    if (problems.length > 0) throw invalidFeatures(problems, signature);
  };
  const predictHeads = ({ features, options }: ScoreInput) => {
    encode(features);
    return heads.map((head) => readHead(head.stored, answer(head, row, options)));
  };
  return {
    bundle,
    isByEntity: false,
    predict(input) {
      const { features } = input;
      const outputs = predictHeads(input);
      if (kind !== 'project_success') return shapePrediction(kind, outputs);
      const settings = body.project as ProjectSettings;
      const effects = explainHead(heads[0]!, row, features, encoder).contributions;
      const planned = settings.planned_duration ? features[settings.planned_duration] : undefined;
      const days = typeof planned === 'number' ? planned : undefined;
      return shapeProjectSuccess(outputs, effects, settings, body.medians ?? {}, days);
    },
    outputs({ features, options }) {
      encode(features);
      return Object.fromEntries(heads.map((head) => [head.stored.name, [...answer(head, row, options)]]));
    },
    explain({ features, options }) {
      encode(features);
      return Object.fromEntries(
        heads.map((head) => [head.stored.name, explainHead(head, row, features, encoder, options)]),
      );
    },
    warnings: ({ features, options }) => [
      ...describeGaps(features, knownCategories, names),
      ...heads.flatMap(({ sequence }) => describeUnknownActivities(sequence, options)),
      ...(heads.some(({ sequence }) => sequence) ? [] : describeUnusedSequences(options)),
    ],
    // The factors of a project come from each row's own attributions, so its rows are answered one by one.
    ...(kind === 'project_success' ? {} : { batch: createBatchScorer(kind, encoder, heads, signature) }),
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

/** What a head answers: calibrated probabilities or a value, in its own buffer. */
function answer({ stored, model, sequence, buffer }: LoadedHead, row: Float64Array, options: Options): Float64Array {
  model.predictRow(row, buffer);
  finish(stored, buffer);
  if (sequence) mixInSequence(sequence, activitiesOf(sequence, options), buffer);
  return buffer;
}

type Options = ScoreInput['options'];

/** Whoever lists activities should know that they were not looked at. */
const describeUnusedSequences = (options: Options): FieldProblem[] =>
  options?.['recent_activities'] === undefined
    ? []
    : [{ path: 'recent_activities', message: 'was not used: this version answers from the features alone' }];

function describeUnknownActivities(sequence: SequenceHead | undefined, options: Options): FieldProblem[] {
  if (!sequence) return [];
  const { field, activities } = sequence.stored;
  return activitiesOf(sequence, options).flatMap((name, at) =>
    activities.includes(name)
      ? []
      : [{ path: `${field}.${at}`, message: `${JSON.stringify(name)} did not occur in training and is left out` }],
  );
}

/** Shapley values of the output that the head answers with: the second of two classes, the likeliest of more, or the number. */
function explainHead(
  { stored, model, sequence }: LoadedHead,
  row: Float64Array,
  features: FeatureValues,
  encoder: TableEncoder,
  options?: Options,
): HeadExplanation {
  const { base, raw, contributions } = model.explainRow(row);
  const final = new Float64Array(raw.length);
  model.link(raw, final);
  finish(stored, final);
  const baseAnswer = new Float64Array(raw.length);
  model.link(base, baseAnswer);
  finish(stored, baseAnswer);
  const answered = final.slice();
  const activities = sequence ? activitiesOf(sequence, options) : [];
  const isMixed = sequence !== undefined && mixInSequence(sequence, activities, answered);
  const output =
    stored.task === 'binary' ? 1 : stored.task === 'multiclass' ? answered.indexOf(Math.max(...answered)) : 0;
  const own = contributions.subarray(output * row.length, (output + 1) * row.length);
  const linked = rescaleContributions(base[output]!, raw[output]!, own, (value) =>
    value === raw[output] ? final[output]! : baseAnswer[output]!,
  );
  const explanation = {
    // Taken from the sum, so that base and contributions add up to the answer whatever the calibration did.
    base_value: final[output]! - linked.contributions.reduce((sum, value) => sum + value, 0),
    output: final[output]!,
    contributions: byFeature(encoder, linked.contributions, features),
  };
  return isMixed ? addSequence(explanation, sequence.stored, activities, answered[output]!) : explanation;
}

/** Names that a contribution shows of a long list. */
const SHOWN_ACTIVITIES = 5;

/**
 * The features count by their share of the mean; the rest of the way from what is answered about nobody to the answer is what the
 * sequence did, with what the calibration of the mean adds to it.
 */
function addSequence(
  { base_value: base, contributions }: HeadExplanation,
  { field, share }: StoredSequence,
  activities: readonly string[],
  output: number,
): HeadExplanation {
  const scaled = contributions.map((one) => ({ ...one, contribution: (1 - share) * one.contribution }));
  const rest = output - base - scaled.reduce((sum, one) => sum + one.contribution, 0);
  const value = `${activities.length > SHOWN_ACTIVITIES ? '…, ' : ''}${activities.slice(-SHOWN_ACTIVITIES).join(', ')}`;
  return {
    base_value: base,
    output,
    contributions: [...scaled, { feature: field, value, contribution: rest }].sort(
      (a, b) => Math.abs(b.contribution) - Math.abs(a.contribution),
    ),
  };
}

/** Several encoded columns can stem from one feature; the caller thinks in features. Largest effect first. */
function byFeature(
  encoder: TableEncoder,
  contributions: Float64Array,
  features: FeatureValues,
): HeadExplanation['contributions'] {
  const totals = new Map<string, number>();
  for (const { name, start, width } of encoder.features) {
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
