/*
 * Just enough of an assembler to write WebAssembly kernels as TypeScript expressions: an instruction is a function that takes
 * the code of its operands and returns its own code, so that nested calls read like the formula they compute.
 * Binary format: WebAssembly Core Specification 2.0, chapter 5 (SIMD included); shared memories: the threads proposal.
 */

/** The bytes of an instruction sequence. */
export type Code = number[];
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

const VALUE_TYPES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** A parameter or local variable of a function. */
export interface Variable {
  get: Code;
  set: (value: Code) => Code;
  /** Sets and leaves the value. */
  tee: (value: Code) => Code;
  /** For an i32: adds a constant. */
  increase: (by: number) => Code;
}

/** A function under construction. */
export interface FunctionSource {
  name: string;
  parameters: ValueType[];
  locals: ValueType[];
  result: ValueType | undefined;
  body: Code;
}

/**
 * Declares a function. `build` gets its parameters and a maker of local variables and returns its instructions; where there is
 * a result, the last of them leaves it.
 */
export function declareFunction(
  name: string,
  parameters: ValueType[],
  build: (parameters: Variable[], local: (type: ValueType) => Variable) => Code[],
  result?: ValueType,
): FunctionSource {
  const locals: ValueType[] = [];
  const local = (type: ValueType): Variable => variable(parameters.length + locals.push(type) - 1);
  const body = build(
    parameters.map((_, index) => variable(index)),
    local,
  ).flat();
  return { name, parameters, locals, result, body };
}

function variable(index: number): Variable {
  const number = unsigned(index);
  const get = [0x20, ...number];
  const set = (value: Code): Code => [...value, 0x21, ...number];
  return { get, set, tee: (value) => [...value, 0x22, ...number], increase: (by) => set(i32.add(get, i32.const(by))) };
}

/** LEB128 without sign. */
function unsigned(value: number): Code {
  const bytes: Code = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 128 : low);
  } while (rest > 0);
  return bytes;
}

/** LEB128 with sign. */
function signed(value: bigint): Code {
  const bytes: Code = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    if ((rest === 0n && low < 64) || (rest === -1n && low >= 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

const binary =
  (opcode: Code) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
const unary =
  (opcode: Code) =>
  (a: Code): Code => [...a, ...opcode];
/** Alignment is only a hint; 0 promises nothing. */
const load =
  (opcode: Code) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, 0, ...unsigned(offset)];
const store =
  (opcode: Code) =>
  (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...opcode, 0, ...unsigned(offset)];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  load: load([0x28]),
  load8: load([0x2d]),
  load16: load([0x2f]),
  store: store([0x36]),
  store8: store([0x3a]),
  store16: store([0x3b]),
  add: binary([0x6a]),
  sub: binary([0x6b]),
  mul: binary([0x6c]),
  and: binary([0x71]),
  shl: binary([0x74]),
  shiftRight: binary([0x76]),
  /** How many bits below the lowest that is set. */
  trailingZeros: unary([0x68]),
  lessUnsigned: binary([0x49]),
  greaterUnsigned: binary([0x4b]),
  atMostUnsigned: binary([0x4d]),
  atLeastUnsigned: binary([0x4f]),
  equal: binary([0x46]),
  wrap: unary([0xa7]),
};

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(value)],
  load: load([0x29]),
  load32: load([0x35]),
  store: store([0x37]),
  add: binary([0x7c]),
  sub: binary([0x7d]),
  shiftRight: binary([0x88]),
};

export const f64 = {
  const: (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  load: load([0x2b]),
  store: store([0x39]),
  add: binary([0xa0]),
  sub: binary([0xa1]),
  mul: binary([0xa2]),
  div: binary([0xa3]),
  min: binary([0xa4]),
  greater: binary([0x64]),
  atLeast: binary([0x66]),
  fromInt64: unary([0xb9]),
};

/** Bytes 0 to 7 of the first operand and 8 to 15 of the second. */
const LOW_THEN_HIGH = [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31];
const ZIPPED = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];

export const v128 = {
  load: load(simd(0)),
  /** A number of 16 bits, eight times. */
  load16Splat: load(simd(8)),
  /** Two 32-bit integers with sign as two of 64 bits. */
  loadPair32: load(simd(5)),
  store: store(simd(11)),
  /** Eight bytes, and zeros behind them. */
  loadHalf: load(simd(0x5d)),
  constInt32: (...lanes: [number, number, number, number]): Code => [
    ...simd(12),
    ...new Uint8Array(Int32Array.from(lanes).buffer),
  ],
  /** The numbers of 32 bits a0, b0, a1, b1. */
  interleave32: (a: Code, b: Code): Code => [...a, ...b, ...simd(13), ...ZIPPED],
  and: binary(simd(0x4e)),
  /** The bits of `a` that `b` has not. */
  without: binary(simd(0x4f)),
  constInt64: (low: bigint, high: bigint): Code => [...simd(12), ...new Uint8Array(BigInt64Array.of(low, high).buffer)],
  /** The first half of `a` and the second of `b`. */
  lowOfFirstHighOfSecond: (a: Code, b: Code): Code => [...a, ...b, ...simd(13), ...LOW_THEN_HIGH],
};

export const i16x8 = {
  /** With sign; all bits of a lane where it is so. */
  greater: binary(simd(0x31)),
};

export const i64x2 = {
  extract: (a: Code, lane: 0 | 1): Code => [...a, ...simd(0x1d), lane],
  replace: (a: Code, lane: 0 | 1, value: Code): Code => [...a, ...value, ...simd(0x1e), lane],
  shl: binary(simd(0xcb)),
  add: binary(simd(0xce)),
  sub: binary(simd(0xd1)),
};

export const i32x4 = {
  fromFloats: unary(simd(0xf8)),
  mul: binary(simd(0xb5)),
  max: binary(simd(0xb8)),
};

export const f32x4 = {
  nearest: unary(simd(0x6a)),
  mul: binary(simd(0xe6)),
  /** Two doubles as the first two floats. */
  fromDoubles: unary(simd(0x5e)),
};

export const f64x2 = {
  splat: unary(simd(0x14)),
  const: (value: number): Code => f64x2.splat(f64.const(value)),
  abs: unary(simd(0xec)),
  /** The larger, the smaller; not for NaN: one instruction of the machine, which `max` and `min` are not. */
  max: binary(simd(0xf7)),
  min: binary(simd(0xf6)),
  extract: (a: Code, lane: 0 | 1): Code => [...a, ...simd(0x21), lane],
  replace: (a: Code, lane: 0 | 1, value: Code): Code => [...a, ...value, ...simd(0x22), lane],
  add: binary(simd(0xf0)),
  sub: binary(simd(0xf1)),
  mul: binary(simd(0xf2)),
  div: binary(simd(0xf3)),
};

/** Repeats the body while the condition holds, tested before each turn. */
export function loopWhile(condition: Code, body: Code[]): Code {
  // A loop whose test stands at its end has one jump a turn instead of two.
  return [...condition, 0x04, 0x40, 0x03, 0x40, ...body.flat(), ...condition, 0x0d, 0, 0x0b, 0x0b];
}

export function when(condition: Code, body: Code[]): Code {
  return [...condition, 0x04, 0x40, ...body.flat(), 0x0b];
}

const PAGE_BYTES = 65_536;

/** Pages of 64 KiB that hold so many bytes. */
export function pagesFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / PAGE_BYTES));
}

/**
 * The bytes of a module that imports the memory `kernel.memory` and exports its functions by name.
 * @param mostPages the memory may have fewer
 */
export function assembleModule(
  functions: readonly FunctionSource[],
  mostPages: number,
  isShared: boolean,
): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...list(parameters.map((type) => [VALUE_TYPES[type]])),
    ...list(result ? [[VALUE_TYPES[result]]] : []),
  ]);
  const limits = [isShared ? 3 : 1, 1, ...unsigned(mostPages)];
  const bodies = functions.map(({ locals, body }) => {
    const code = [...list(locals.map((type) => [1, VALUE_TYPES[type]])), ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  const sections: [number, Code][] = [
    [1, list(types)],
    [2, list([[...text('kernel'), ...text('memory'), 2, ...limits]])],
    [3, list(functions.map((_, index) => unsigned(index)))],
    [7, list(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))],
    [10, list(bodies)],
  ];
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (const [id, content] of sections) bytes.push(id, ...unsigned(content.length), ...content);
  return Uint8Array.from(bytes);
}

function list(items: Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): Code {
  return [...unsigned(value.length), ...Array.from(value, (letter) => letter.charCodeAt(0))];
}

/** What a program sees of the engine's WebAssembly: neither the language's nor Node's type declarations have it. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}
interface Engine {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: { kernel: { memory: WasmMemory } }) => { readonly exports: object };
}
const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;

/** Zeroed memory that cannot grow, so that views of it stay valid. */
export function createMemory(pages: number, isShared: boolean): WasmMemory {
  return new engine.Memory({ initial: pages, maximum: pages, shared: isShared });
}

const compiled = new WeakMap<Uint8Array<ArrayBuffer>, object>();

/** Compiles bytes from `assembleModule`, once, and binds them to a memory; the caller names the functions' types. */
export function instantiate<Exports>(bytes: Uint8Array<ArrayBuffer>, memory: WasmMemory): Exports {
  let module = compiled.get(bytes);
  if (!module) compiled.set(bytes, (module = new engine.Module(bytes)));
  return new engine.Instance(module, { kernel: { memory } }).exports as Exports;
}
