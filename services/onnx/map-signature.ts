import type { FieldProblem } from '../../core/errors.js';
import type { ImportRequest } from '../../core/schemas/exchange.js';
import {
  INPUT_TYPES,
  type ImportedBody,
  type ImportedFeature,
  type ImportedInput,
} from '../kinds/imported/imported-model.js';
import type { OnnxDescription, OnnxPort } from './inspect-onnx.js';

/** The name of the only file of an imported version besides its manifest. */
export const ONNX_FILE = 'model.onnx';

/**
 * Says which feature goes to which input and which output is the answer.
 * @returns the body of the bundle, or every place of the request that does not fit the model
 */
export function mapSignature(
  request: ImportRequest,
  kind: 'classification' | 'regression',
  { inputs, outputs }: OnnxDescription,
): { body: ImportedBody } | { problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const features = placeFeatures(request, inputs, problems);
  const mapped = inputs.map((port): ImportedInput => {
    const width = features.filter(({ input }) => input === port.name).length;
    const problem = describePort(port, width);
    if (problem) problems.push({ path: 'features', message: problem });
    return { name: port.name, type: port.type, width: port.shape.length < 2 ? null : width };
  });
  const classes = kind === 'classification' ? (request.classes ?? []) : [];
  if (kind === 'classification' && classes.length === 0)
    problems.push({ path: 'classes', message: 'must list the classes in the order of the probabilities' });
  if (kind === 'regression' && request.classes)
    problems.push({ path: 'classes', message: 'must be left out: the model is a regression' });
  const output = chooseOutput(request.output, outputs, classes.length);
  if (typeof output === 'string') problems.push({ path: 'output', message: output });
  if (problems.length > 0 || typeof output === 'string') return { problems };
  const head = {
    name: kind === 'classification' ? 'label' : 'value',
    task: kind === 'classification' ? ('multiclass' as const) : ('regression' as const),
    classes,
    output: output.name,
    isSecondAlone: classes.length === 2 && (output.shape.length < 2 || output.shape[1] === 1),
  };
  return { body: { imported: 'onnx', file: ONNX_FILE, inputs: mapped, features, head } };
}

function placeFeatures(
  request: ImportRequest,
  inputs: readonly OnnxPort[],
  problems: FieldProblem[],
): ImportedFeature[] {
  const counts = new Map<string, number>();
  return request.features.flatMap(({ name, type, input: wanted }, at) => {
    const input =
      wanted ?? inputs.find((port) => port.name === name)?.name ?? (inputs.length === 1 ? inputs[0]!.name : undefined);
    const port = inputs.find((one) => one.name === input);
    if (!port) {
      const message = `names no input of the model; its inputs: ${inputs
        .map((one) => one.name)
        .slice(0, 20)
        .join(', ')}`;
      problems.push({ path: `features.${at}.${wanted === undefined ? 'name' : 'input'}`, message });
      return [];
    }
    if ((type === 'category') !== (port.type === 'string'))
      problems.push({
        path: `features.${at}.type`,
        message: `is ${type}, but the input ${port.name} takes ${port.type === 'string' ? 'strings: use category' : `${port.type}: use number or boolean`}`,
      });
    const column = counts.get(port.name) ?? 0;
    counts.set(port.name, column + 1);
    return [{ name, type, input: port.name, column }];
  });
}

/** What keeps an input from taking so many features, or nothing. */
function describePort({ name, type, shape }: OnnxPort, width: number): string | undefined {
  if (!INPUT_TYPES.includes(type))
    return `cannot fill the input ${name} of the type ${type}; known types: ${INPUT_TYPES.join(', ')}`;
  if (shape.length > 2)
    return `cannot fill the input ${name}, which has ${shape.length} dimensions; at most two are possible`;
  if (shape[0] !== null && shape[0] !== undefined && shape[0] !== 1)
    return `cannot fill the input ${name}, which takes ${shape[0]} rows at once`;
  const columns = shape.length < 2 ? 1 : shape[1]!;
  if (width === 0) return `lack one for the input ${name}`;
  return columns !== null && columns !== width
    ? `give the input ${name} ${width} values, but it takes ${columns}`
    : undefined;
}

/** @returns the output, or what is wrong */
function chooseOutput(wanted: string | undefined, outputs: readonly OnnxPort[], classes: number): OnnxPort | string {
  const listed = outputs
    .map(({ name, type, shape }) => `${name} (${type} [${shape.map((size) => size ?? '?').join(', ')}])`)
    .join(', ');
  const isNumeric = ({ type }: OnnxPort) => ['float', 'double'].includes(type);
  if (wanted !== undefined) {
    const output = outputs.find(({ name }) => name === wanted);
    if (!output) return `is no tensor that the model gives; it gives ${listed}`;
    return isNumeric(output) && fits(output, classes)
      ? output
      : `does not fit: ${classes > 0 ? `${classes} probabilities` : 'one number'} a row are needed; the model gives ${listed}`;
  }
  const possible = outputs.filter((output) => isNumeric(output) && fits(output, classes));
  if (possible.length === 1) return possible[0]!;
  return `must name one of the outputs, since ${possible.length === 0 ? 'none fits by itself' : 'several fit'}; the model gives ${listed}`;
}

function fits({ shape }: OnnxPort, classes: number): boolean {
  if (shape.length > 2) return false;
  const width = shape.length < 2 ? 1 : shape[1]!;
  if (width === null) return true;
  return classes === 0 ? width === 1 : width === classes || (classes === 2 && width === 1);
}
