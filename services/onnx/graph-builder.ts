import {
  ATTRIBUTE_TYPES,
  encodeOnnx,
  TENSOR_TYPES,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  type TensorType,
} from './onnx-schema.js';

/** The name of a tensor in the graph. */
export type Name = string;
type AttributeValue = number | string | readonly number[] | readonly string[] | OnnxTensor | { float: number };

const ENCODER = new TextEncoder();
/** Widely supported; the operators of trees take double precision from version 3 of their domain on. */
const OPSETS = [
  { domain: '', version: 17 },
  { domain: 'ai.onnx.ml', version: 3 },
];
const ML = 'ai.onnx.ml';

export function doubleTensor(values: ArrayLike<number>, dims: number[], name?: string): OnnxTensor {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < values.length; at++) view.setFloat64(8 * at, values[at]!, true);
  return { dataType: TENSOR_TYPES.double, dims, rawData: bytes, ...(name === undefined ? {} : { name }) };
}

function intTensor(values: readonly number[], dims: number[], name: string): OnnxTensor {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => view.setBigInt64(8 * at, BigInt(value), true));
  return { dataType: TENSOR_TYPES.int64, dims, rawData: bytes, name };
}

function attributeOf(name: string, value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPES.int, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPES.string, s: ENCODER.encode(value) };
  if (Array.isArray(value)) {
    const list = value as readonly (number | string)[];
    if (typeof list[0] === 'string')
      return { name, type: ATTRIBUTE_TYPES.strings, strings: list.map((text) => ENCODER.encode(String(text))) };
    return { name, type: ATTRIBUTE_TYPES.ints, ints: list as number[] };
  }
  if ('float' in (value as object)) return { name, type: ATTRIBUTE_TYPES.float, f: (value as { float: number }).float };
  return { name, type: ATTRIBUTE_TYPES.tensor, t: value as OnnxTensor };
}

/** Puts a graph together, node by node. All numbers are doubles with the rows in front. */
export class GraphBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers: OnnxTensor[] = [];
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  #count = 0;

  /** No feature can have such a name by accident: the prefix is no part of any that a table has. */
  #newName = (): Name => `_/${++this.#count}`;

  /** An input of one value a row. */
  input(name: string, type: TensorType): Name {
    this.#inputs.push(valueOf(name, type, 1));
    return name;
  }

  output(name: string, from: Name, type: TensorType, width: number): void {
    this.#nodes.push({ input: [from], output: [name], opType: 'Identity' });
    this.#outputs.push(valueOf(name, type, width));
  }

  node(opType: string, input: readonly Name[], attributes: Record<string, AttributeValue> = {}, domain = ''): Name {
    const output = this.#newName();
    this.#nodes.push({
      input: [...input],
      output: [output],
      name: output,
      opType,
      domain,
      attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
    });
    return output;
  }

  ml = (opType: string, input: readonly Name[], attributes: Record<string, AttributeValue>): Name =>
    this.node(opType, input, attributes, ML);

  /** A constant; without `dims` one number that goes with every shape. */
  doubles(values: ArrayLike<number>, dims: number[] = []): Name {
    const name = this.#newName();
    this.#initializers.push(doubleTensor(values, dims, name));
    return name;
  }

  number = (value: number): Name => this.doubles([value]);

  ints(values: readonly number[], dims: number[] = [values.length]): Name {
    const name = this.#newName();
    this.#initializers.push(intTensor(values, dims, name));
    return name;
  }

  add = (a: Name, b: Name): Name => this.node('Add', [a, b]);
  subtract = (a: Name, b: Name): Name => this.node('Sub', [a, b]);
  multiply = (a: Name, b: Name): Name => this.node('Mul', [a, b]);
  divide = (a: Name, b: Name): Name => this.node('Div', [a, b]);
  floor = (a: Name): Name => this.node('Floor', [a]);
  sigmoid = (a: Name): Name => this.node('Sigmoid', [a]);
  negate = (a: Name): Name => this.node('Neg', [a]);
  exp = (a: Name): Name => this.node('Exp', [a]);
  clip = (a: Name, low: number, high: number): Name =>
    this.node('Min', [this.node('Max', [a, this.number(low)]), this.number(high)]);
  where = (condition: Name, yes: Name, no: Name): Name => this.node('Where', [condition, yes, no]);
  isMissing = (a: Name): Name => this.node('IsNaN', [a]);
  toDouble = (a: Name): Name => this.node('Cast', [a], { to: TENSOR_TYPES.double });
  /** Columns side by side. */
  concat = (parts: readonly Name[]): Name => (parts.length === 1 ? parts[0]! : this.node('Concat', parts, { axis: 1 }));
  /** Some of the columns. */
  columns = (a: Name, columns: readonly number[]): Name => this.node('Gather', [a, this.ints(columns)], { axis: 1 });

  /** A row of a table for each number of a row: `table[numbers[row]]`. @param numbers int64, [rows, 1] */
  lookUp(table: ArrayLike<number>, width: number, numbers: Name): Name {
    const rows = this.node('Gather', [this.doubles(table, [table.length / width, width]), numbers], { axis: 0 });
    return this.node('Reshape', [rows, this.ints([-1, width])]);
  }

  /** @param metadata kept with the model as it is */
  encode(about: { name: string; producer: string; version: string; doc: string }, metadata: Record<string, string>) {
    return encodeOnnx({
      irVersion: 8,
      producerName: about.producer,
      producerVersion: about.version,
      docString: about.doc,
      opsetImport: OPSETS,
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: about.name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    });
  }
}

function valueOf(name: string, type: TensorType, width: number): OnnxValue {
  const shape = { dim: [{ dimParam: 'rows' }, { dimValue: width }] };
  return { name, type: { tensorType: { elemType: TENSOR_TYPES[type], shape } } };
}
