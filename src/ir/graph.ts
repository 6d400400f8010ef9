/**
 * The one graph that every stage reads: ONNX after the border, quantized, lowered. Nothing here is ever changed in
 * place; a rewrite returns a new graph and shares what it did not touch.
 */

/** Storage types, named as ONNX's TensorProto.DataType in lower case. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "float4e2m1"
  | "int2"
  | "uint2"
  | "int4"
  | "uint4"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string"
  | "complex64"
  | "complex128";

/** A number, or the name of a symbolic dimension; `"?"` is a dimension nobody named. */
export type Dim = number | string;

/**
 * Integer factors of codes, for weights of 4 bits: those of one output channel share a factor a block. With C = the size of
 * the quantized axis and R = the number of elements that share an index of it, counted in row-major order of the other axes,
 * element r of channel c stands for code · values[c·⌈R / block⌉ + ⌊r / block⌋] · scale[c].
 */
export interface Multipliers {
  readonly block: number;
  /** [C, ⌈R / block⌉], row-major, each in [1, 127]. */
  readonly values: Uint8Array;
}

/**
 * real = (code − zeroPoint) · scale. One scale for the tensor, one a channel (`axis`), or one a block of `block`
 * elements along `axis` (scales are then laid out as the tensor with that axis divided by `block`, rounded up).
 */
export interface Quant {
  readonly scale: Float32Array;
  /** As many as scales, or a single one for all. */
  readonly zeroPoint: Int32Array;
  readonly axis?: number;
  readonly block?: number;
  /** Absent: 1 everywhere. Only with `axis`, a zero point of 0 and no `block`. */
  readonly multipliers?: Multipliers;
}

/**
 * `dtype` is how the value is stored. With `quant` the stored codes stand for real numbers, and operators outside the
 * `npu` domain read them as float32 (see `logical`). `shape` is absent where the rank is unknown.
 */
export interface Type {
  readonly dtype: DType;
  readonly shape?: readonly Dim[];
  readonly quant?: Quant;
  readonly container?: "sequence" | "optional" | "optional-sequence";
}

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Bytes that stay in their file until somebody asks (ONNX external data). Little-endian, as stored. */
export interface LazyBytes {
  readonly lazy: true;
  readonly byteLength: number;
  read(): Uint8Array;
}

/**
 * Row-major. float16, bfloat16: Uint16Array of the bits. bool, float8: Uint8Array. int2, int4, uint2, uint4, float4e2m1:
 * packed into a Uint8Array, low bits first. complex: interleaved floats. string: an array of strings.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray | LazyBytes | readonly string[];
  readonly quant?: Quant;
}

/** A sequence or optional at run time (interpreter only). */
export type RuntimeValue = Tensor | readonly Tensor[] | undefined;

export type Attr =
  | { readonly i: number | bigint }
  | { readonly f: number }
  | { readonly s: string }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly t: Tensor }
  | { readonly ts: readonly Tensor[] }
  | { readonly g: Graph }
  | { readonly gs: readonly Graph[] }
  /** Type protos, sparse tensors, references: kept as encoded AttributeProto bytes. */
  | { readonly raw: Uint8Array };

export type Attrs = ReadonlyMap<string, Attr>;

export interface Node {
  readonly op: string;
  /** "" is ONNX's own; "npu" is the chip's integer operators. */
  readonly domain: string;
  /** Value names; "" is an absent optional input. */
  readonly inputs: readonly string[];
  /** Value names; "" is an output nobody wants. */
  readonly outputs: readonly string[];
  readonly attrs: Attrs;
  /** Names of the teacher's nodes that this one came from, through every pass, sorted. */
  readonly origin: readonly string[];
}

/** A value that is fed back: what `output` held is `input` in the next step; `init` is the first. */
export interface State {
  readonly input: string;
  readonly output: string;
  readonly init: Tensor;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** In execution order. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Of every input, and of every other value once inferred. Constants need no entry. */
  readonly types: ReadonlyMap<string, Type>;
  readonly states: readonly State[];
  /** Domain → version, as the file said; after `normalise`, the canonical opset. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  /** IR version, doc strings, producer, unknown protobuf fields: what a round trip must keep. Opaque outside src/onnx. */
  readonly extra?: unknown;
}

export const EMPTY_ATTRS: Attrs = new Map();

export function makeGraph(parts: Partial<Graph> & Pick<Graph, "inputs" | "outputs" | "nodes">): Graph {
  return {
    name: "",
    constants: new Map(),
    types: new Map(),
    states: [],
    opsets: new Map([["", 21]]),
    metadata: new Map(),
    ...parts,
  };
}

/** Attributes from an object literal: `attrs({ axis: { i: 1 } })`. */
export function attrs(entries: Readonly<Record<string, Attr | undefined>>): Attrs {
  const map = new Map<string, Attr>();
  for (const [name, attr] of Object.entries(entries)) if (attr !== undefined) map.set(name, attr);
  return map;
}

export function intAttr(node: Node, name: string, fallback: number): number {
  const attr = node.attrs.get(name);
  return attr !== undefined && "i" in attr ? Number(attr.i) : fallback;
}

export function floatAttr(node: Node, name: string, fallback: number): number {
  const attr = node.attrs.get(name);
  return attr !== undefined && "f" in attr ? attr.f : fallback;
}

export function stringAttr(node: Node, name: string, fallback: string): string {
  const attr = node.attrs.get(name);
  return attr !== undefined && "s" in attr ? attr.s : fallback;
}

export function intsAttr(node: Node, name: string): number[] | undefined {
  const attr = node.attrs.get(name);
  return attr !== undefined && "ints" in attr ? attr.ints.map(Number) : undefined;
}

export function floatsAttr(node: Node, name: string): readonly number[] | undefined {
  const attr = node.attrs.get(name);
  return attr !== undefined && "floats" in attr ? attr.floats : undefined;
}

export function tensorAttr(node: Node, name: string): Tensor | undefined {
  const attr = node.attrs.get(name);
  return attr !== undefined && "t" in attr ? attr.t : undefined;
}

export function graphAttr(node: Node, name: string): Graph | undefined {
  const attr = node.attrs.get(name);
  return attr !== undefined && "g" in attr ? attr.g : undefined;
}

/** All graphs in a node's attributes, with the attribute's name. */
export function subgraphs(node: Node): [string, Graph][] {
  const found: [string, Graph][] = [];
  for (const [name, attr] of node.attrs) {
    if ("g" in attr) found.push([name, attr.g]);
    else if ("gs" in attr) for (const graph of attr.gs) found.push([name, graph]);
  }
  return found;
}

/** The type of a value, whether an input, a constant or computed; undefined where nothing is known. */
export function typeOf(graph: Graph, value: string): Type | undefined {
  const constant = graph.constants.get(value);
  if (constant === undefined) return graph.types.get(value);
  return constant.quant === undefined
    ? { dtype: constant.dtype, shape: constant.shape }
    : { dtype: constant.dtype, shape: constant.shape, quant: constant.quant };
}

/** What an operator outside the `npu` domain sees: quantized codes are float32 to it. */
export function logical(type: Type): Type {
  if (type.quant === undefined) return type;
  return type.shape === undefined ? { dtype: "float32" } : { dtype: "float32", shape: type.shape };
}

/** A name that `taken` does not hold: `hint`, `hint_1`, `hint_2`, … */
export function freshName(hint: string, taken: { has(name: string): boolean }): string {
  if (hint !== "" && !taken.has(hint)) return hint;
  for (let index = 1; ; index++) {
    const name = `${hint}_${index}`;
    if (!taken.has(name)) return name;
  }
}

export function isStatic(shape: readonly Dim[] | undefined): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === "number") ?? false;
}

/** Number of elements; the product is checked, since shapes come from hostile files. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) count *= dim;
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`shape [${shape}] has no sane element count`);
  return count;
}

const BITS: Readonly<Record<DType, number>> = {
  float32: 32,
  float64: 64,
  float16: 16,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  float8e8m0: 8,
  float4e2m1: 4,
  int2: 2,
  uint2: 2,
  int4: 4,
  uint4: 4,
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  int64: 64,
  uint64: 64,
  bool: 8,
  string: 0,
  complex64: 64,
  complex128: 128,
}; // prettier-ignore

export function bitsOf(dtype: DType): number {
  return BITS[dtype];
}

/** Bytes that a tensor of this type takes, packed as the file stores it. Strings count 0. */
export function byteSize(dtype: DType, shape: readonly number[]): number {
  return Math.ceil((elementCount(shape) * BITS[dtype]) / 8);
}
