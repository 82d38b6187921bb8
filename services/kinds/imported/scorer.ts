import { shapePrediction, type HeadOutput } from '../../../core/kinds/heads.js';
import { ServiceError, type FieldProblem } from '../../../core/errors.js';
import { isMissing, parseBoolean, parseCategory, parseNumber } from '../../../ml/preprocess/column-type.js';
import { decodeFile, type ModelBundle } from '../../artifacts/model-bundle.js';
import { openOnnxSession } from '../../onnx/onnx-session.js';
import { invalidFeatures } from '../../serving/invalid-features.js';
import type { Scorer } from '../../serving/scorer.js';
import { answerRows, WHOLE_TYPES, type FeatureRow, type ImportedBody, type ImportedFeature } from './imported-model.js';

/** The algorithm of a version that came from elsewhere. */
export const IMPORTED = 'onnx';
/** Another processor may round a float otherwise. */
const TOLERANCE = 1e-4;

const PARSERS: Record<ImportedFeature['type'], { parse: (value: unknown) => unknown; wanted: string }> = {
  number: { parse: parseNumber, wanted: 'a finite number' },
  boolean: { parse: parseBoolean, wanted: 'true or false' },
  category: {
    parse: (value) => (isMissing(value) ? null : parseCategory(value)),
    wanted: 'a string, number or boolean',
  },
};

/** Reads one request's features as the model takes them. @returns the row, and every value that does not fit */
export function readFeatures(body: ImportedBody, features: FeatureRow): { row: FeatureRow; problems: FieldProblem[] } {
  const row: Record<string, unknown> = {};
  const problems: FieldProblem[] = [];
  for (const { name, type, input } of body.features) {
    const value = Object.hasOwn(features, name) ? features[name] : undefined;
    const parsed = PARSERS[type].parse(value);
    row[name] = parsed;
    const isUnknown = parsed === null || Number.isNaN(parsed);
    const takes = body.inputs.find((one) => one.name === input)!.type;
    if (parsed === undefined)
      problems.push({ path: `features.${name}`, message: `must be ${PARSERS[type].wanted} or null` });
    else if (isUnknown && WHOLE_TYPES.includes(takes))
      problems.push({
        path: `features.${name}`,
        message: `must be given: the imported model takes ${takes}, which has no missing value`,
      });
  }
  const known = new Set(body.features.map(({ name }) => name));
  for (const name of Object.keys(features))
    if (!known.has(name))
      problems.push({
        path: `features.${name}`,
        message: 'the model knows no feature of this name: remove it or correct its spelling',
      });
  return { row, problems };
}

/** Answers by a model that came from elsewhere, through onnxruntime. @throws ServiceError `artifact_corrupt` */
export function createImportedScorer(bundle: ModelBundle): Scorer {
  const { kind, model } = bundle.manifest;
  const body = bundle.manifest.body as ImportedBody;
  const session = decodeFile(bundle, body.file, openOnnxSession);
  const { name, task, classes } = body.head;
  const names = body.features.map((feature) => feature.name);

  function answer(features: FeatureRow): number[] {
    const { row, problems } = readFeatures(body, features);
    if (problems.length > 0) throw invalidFeatures(problems, names);
    try {
      return answerRows(session, body, [row])[0]!;
    } catch (error) {
      // The runtime has its own reasons, and for a bad value it names its own nodes.
      throw new ServiceError('request_invalid', `${model} cannot answer: ${(error as Error).message.slice(0, 300)}.`, [
        { path: 'features', message: 'are not what the imported model can answer from' },
      ]);
    }
  }
  const outputOf = (numbers: number[]): HeadOutput =>
    task === 'regression'
      ? { head: name, task, value: numbers[0]!, interval: { lower: numbers[0]!, upper: numbers[0]!, level: 0 } }
      : { head: name, task, classes, probabilities: numbers };

  return {
    bundle,
    isByEntity: false,
    tolerance: TOLERANCE,
    predict: ({ features }) => shapePrediction(kind, [outputOf(answer(features))]),
    outputs: ({ features }) => ({ [name]: answer(features) }),
    explain: () => undefined,
    warnings: ({ features }) =>
      names.some((one) => features[one] !== undefined && features[one] !== null)
        ? []
        : [
            {
              path: 'features',
              message: 'no feature of the model was given, so the answer rests on nothing about this entity',
            },
          ],
  };
}
