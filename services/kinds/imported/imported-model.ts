import type { Tensor } from 'onnxruntime-node';
import type { TensorType } from '../../onnx/onnx-schema.js';
import { loadRuntime, type OnnxSession } from '../../onnx/onnx-session.js';

/** A feature of an imported model, and where its value goes. */
export interface ImportedFeature {
  name: string;
  type: 'number' | 'boolean' | 'category';
  /** The input that takes it. */
  input: string;
  /** Its column there; several features can share one input. */
  column: number;
}

export interface ImportedInput {
  name: string;
  type: TensorType;
  /** Columns; null for an input of one dimension. */
  width: number | null;
}

/** What the bundle of an imported model says besides its file; plain JSON. */
export interface ImportedBody {
  imported: 'onnx';
  file: string;
  inputs: readonly ImportedInput[];
  features: readonly ImportedFeature[];
  head: {
    name: string;
    task: 'multiclass' | 'regression';
    classes: readonly string[];
    /** The output that is read: probabilities, or the value. */
    output: string;
    /** Of two classes: the output has only the probability of the second. */
    isSecondAlone: boolean;
  };
}

export type FeatureRow = Readonly<Record<string, unknown>>;

/** The types of values that a tensor can be made of here, and how. */
const MAKERS: Partial<Record<TensorType, (values: unknown[]) => [string, unknown]>> = {
  float: (values) => ['float32', Float32Array.from(values, numberOf)],
  double: (values) => ['float64', Float64Array.from(values, numberOf)],
  int64: (values) => ['int64', BigInt64Array.from(values, (value) => BigInt(Math.trunc(numberOf(value))))],
  int32: (values) => ['int32', Int32Array.from(values, numberOf)],
  bool: (values) => ['bool', Uint8Array.from(values, (value) => (numberOf(value) ? 1 : 0))],
  string: (values) => ['string', values.map((value) => (value === null || value === undefined ? '' : String(value)))],
};
export const INPUT_TYPES = Object.keys(MAKERS) as TensorType[];
/** These have no NaN, so that a missing value has no form. */
export const WHOLE_TYPES: readonly TensorType[] = ['int64', 'int32', 'bool'];

const numberOf = (value: unknown): number => (value === null || value === undefined ? NaN : Number(value));

/** Rows as the tensors of each input. */
export function feedsOf(body: ImportedBody, rows: readonly FeatureRow[]): Record<string, Tensor> {
  const { Tensor } = loadRuntime();
  return Object.fromEntries(
    body.inputs.map(({ name, type, width }) => {
      const own = body.features
        .filter(({ input }) => input === name)
        .toSorted((a, b) => a.column - b.column)
        .map((feature) => feature.name);
      const values = rows.flatMap((row) => own.map((feature) => row[feature] ?? null));
      const [datatype, data] = MAKERS[type]!(values);
      const dims = width === null ? [rows.length] : [rows.length, width];
      return [name, new Tensor(datatype as 'float32', data as Float32Array, dims)];
    }),
  );
}

/**
 * The answers of rows: `outputs` numbers each.
 * @throws RangeError for answers that are not what the import has seen
 */
export function answerRows(session: OnnxSession, body: ImportedBody, rows: readonly FeatureRow[]): number[][] {
  const { output, classes, task, isSecondAlone } = body.head;
  const tensor = session.run(feedsOf(body, rows), [output])[output];
  const width = task === 'regression' || isSecondAlone ? 1 : classes.length;
  if (!tensor || tensor.data.length !== rows.length * width)
    throw new RangeError(
      `the output ${output} has ${tensor?.data.length ?? 0} numbers for ${rows.length} rows, expected ${rows.length * width}`,
    );
  const numbers = Array.from(tensor.data as ArrayLike<number | bigint>, Number);
  return rows.map((_, row) => {
    const own = numbers.slice(row * width, (row + 1) * width);
    if (!own.every(Number.isFinite)) throw new RangeError(`the output ${output} is no finite number`);
    return isSecondAlone ? [1 - own[0]!, own[0]!] : own;
  });
}
